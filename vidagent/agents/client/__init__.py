"""The one way to a model: a request is built, sent within its limits and read."""
