"""The embedded model `signals`: classical vision on the images in its messages; no GPU, no download."""
