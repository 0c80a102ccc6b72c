"""What the agent can do with one opened video: overview, clip, resample, crop, search, answer."""
