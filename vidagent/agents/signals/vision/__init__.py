"""What classical vision reads from pictures."""
