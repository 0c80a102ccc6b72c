"""The output of a batch: results, progress, summary."""
