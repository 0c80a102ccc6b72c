"""The commands of `vidagent`, one module each."""
