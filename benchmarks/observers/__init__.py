"""The agent measured with simulated observers: drawn videos that say what they show, and models of known skill."""
