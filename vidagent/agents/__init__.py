"""Who thinks: the model client, its profiles and prompts, and the embedded `signals` model."""
