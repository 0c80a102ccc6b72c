"""Files exported from an answer: spans, frames, clips and claims."""
