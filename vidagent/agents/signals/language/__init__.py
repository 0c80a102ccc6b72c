"""Question understanding of the embedded model."""
