"""Model servers: which one answers, what it offers, how it fails."""
