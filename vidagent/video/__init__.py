"""Videos on disk: one clock, one place where pixels come from."""
