"""Pictures on their way to a model: tiles, crops, JPEG, labels and contact sheets."""
