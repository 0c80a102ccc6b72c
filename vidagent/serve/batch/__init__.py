"""Many questions about many videos: read from a file of JSON lines, answered side by side, written to another."""
