"""Looks that code proposes."""
