"""Finds out what a running server can do: each probe sends one or a few tiny requests."""
