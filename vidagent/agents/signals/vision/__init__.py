"""Classical computer vision on images."""
