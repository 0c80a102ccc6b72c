"""The server of the REST tests, for the example clients."""

from __future__ import annotations

from tests.serve.conftest import client, model, plays, root

__all__ = ["client", "model", "plays", "root"]
