"""The child process that decodes, and its client."""
