"""Commands about what is kept: the cache, runs and sessions."""
