"""Looks that code proposes; listed in `graphs/nodes/propose.py`."""
