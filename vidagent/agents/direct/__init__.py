"""Asks a model directly, without the agent."""
