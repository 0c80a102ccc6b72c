"""What is taken away from an answer: the report, and files of its spans, frames and claims."""
