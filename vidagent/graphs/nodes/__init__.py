"""The nodes of the answer graph, one module each."""
