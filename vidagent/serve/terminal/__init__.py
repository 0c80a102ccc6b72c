"""Text and progress on a terminal, for every command."""
