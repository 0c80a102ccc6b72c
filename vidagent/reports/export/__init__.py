"""Exports of an answer: clips, frames, subtitles and tables."""
