"""What was learnt of a video, kept on disk by the hash of its bytes."""
