"""Streams that have no end, cut into files that can be asked about."""
