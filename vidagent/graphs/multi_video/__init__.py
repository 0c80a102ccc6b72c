"""One question about several videos."""
