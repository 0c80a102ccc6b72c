"""The embedded model `signals`: classical vision over the pictures in its messages, no GPU, no download."""
