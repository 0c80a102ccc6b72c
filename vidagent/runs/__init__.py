"""What is kept of a run: its folder, record and session."""
