"""The server and the scripted model that the examples ask."""

from __future__ import annotations

from tests.serve.rest.conftest import client, model, plays, root

__all__ = ["client", "model", "plays", "root"]
