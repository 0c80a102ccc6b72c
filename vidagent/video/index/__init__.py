"""What is known of a video before a model looks: activity, cuts, moments, subtitles, speech."""
