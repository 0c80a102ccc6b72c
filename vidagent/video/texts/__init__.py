"""Text on screen: reading frames, and tracking each text from its first frame to its last."""
