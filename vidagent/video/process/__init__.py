"""The child process that decodes, and the program's end of it."""
