"""Model profiles: what is known of each model, as data."""
