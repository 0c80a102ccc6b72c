"""Scripts for whole runs: a planner that calls what it is told, and an observer that reads the frame codes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.media.code import read_code
from tests.scripted_server import calls, labelled_images, says, step_of
from vidagent.images import jpeg

__all__ = ["Script", "answer", "observation"]


def observation(*, found: bool | None = True, times: Sequence[float] = (), what: str = "seen") -> str:
    """Return an observer's reply."""
    sightings = [{"time_s": t, "text": None, "box": [0, 0, 500, 500]} for t in times]
    return json.dumps({"found": found, "what": what, "sightings": sightings, "confidence": 0.9})


def answer(**changed: Any) -> tuple[str, dict[str, Any]]:
    """Return a planner's answer."""
    args: dict[str, Any] = {
        "found": "yes",
        "answer": "It is seen at 2 s.",
        "claims": [{"text": "It is seen.", "ledger": ["L1"], "time_s": 2.0}],
        "spans": [{"start_s": 2.0, "end_s": 3.0}],
        "confidence": 0.9,
    }
    return "answer", {**args, **changed}


class Script:
    """Plays turns of the planner in order; looks, verdicts and compositions are always the same.

    Args:
        *turns: The calls of each turn.
        verdicts: Verdicts in order, the last one over and over.
        look: The observer's reply; None replies with a sighting at the first frame shown.
    """

    def __init__(
        self,
        *turns: Sequence[tuple[str, dict[str, Any]]],
        verdicts: Sequence[str] = ("supported",),
        look: str | None = None,
    ) -> None:
        self.turns, self.verdicts, self.look = list(turns), list(verdicts), look
        self.planned = self.judged = 0

    def __call__(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a request."""
        step = step_of(body)
        if step == "plan":
            turn = self.turns[min(self.planned, len(self.turns) - 1)]
            self.planned += 1
            return calls(*turn)
        if step == "look":
            return says(self.look or observation(times=[labelled_images(body)[0][0]]))
        if step == "verify":
            verdict = self.verdicts[min(self.judged, len(self.verdicts) - 1)]
            self.judged += 1
            return says(json.dumps({"why": "because", "verdict": verdict, "confidence": 0.8}))
        return says(json.dumps({"answer": "Composed from the claims.", "choice": None, "confidence": 0.9}))


def code_times(body: dict[str, Any]) -> list[tuple[float, float]]:
    """Return, for each picture in a request, the time written beside it and the time coded in its pixels."""
    return [(t, read_code(jpeg.decode(data)).millis / 1000) for t, data in labelled_images(body)]
