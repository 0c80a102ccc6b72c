"""Index of a video, built before a model sees frames: activity, cuts, moments, subtitles, speech."""
