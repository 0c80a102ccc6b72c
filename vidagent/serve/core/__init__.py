"""What the doors share: questions, videos, limits, errors."""
