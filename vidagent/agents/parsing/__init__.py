"""Reads what models write: JSON, function calls and typed replies."""
