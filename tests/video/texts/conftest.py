"""A reader and pictures for all tests of texts."""

from __future__ import annotations

from tests.agents.signals.conftest import busy, frame_of, jpeg, reader

__all__ = ["busy", "frame_of", "jpeg", "reader"]
