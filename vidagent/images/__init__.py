"""Pictures for models and people: frames as they are shown, crops, JPEG, labels and contact sheets."""
