"""What a running server can do, found out by trying: each trial is one or a few tiny requests."""
