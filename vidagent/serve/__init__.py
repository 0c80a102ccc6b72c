"""The doors: the command line today, servers beside it."""
