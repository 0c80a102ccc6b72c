"""The HTML report of a run, and exports of its answer: clips, frames, subtitles and tables."""
