"""What was seen, and what follows from it."""
