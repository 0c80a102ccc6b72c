"""`vidagent watch`: a standing question about a stream, asked of each of its segments."""
