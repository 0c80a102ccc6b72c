"""What the embedded model understands of a question."""
