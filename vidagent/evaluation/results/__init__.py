"""Scores of an evaluation, as tables and a page."""
