"""Speech to text: a transcription server, or a model in this process."""
