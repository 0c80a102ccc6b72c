"""The probes, one module for each part of the protocol."""
