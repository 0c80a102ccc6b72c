"""A library: many videos indexed for one search, by words and by meaning, in one sqlite file."""
