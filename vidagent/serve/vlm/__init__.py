"""The model's server: the right one started for a profile, and what a running one can do."""
