"""The HTTP server: authentication, middleware, metrics."""
