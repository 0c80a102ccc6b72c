"""Prompts, the messages made of them, and the typed replies they ask for."""
