"""Disk cache of results per video, keyed by content hash."""
