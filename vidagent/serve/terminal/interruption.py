"""What to tell when a run is interrupted or loses its model: its id, what was found so far, how to go on with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vidagent.text import counted, one_line
from vidagent.video.clock import format_time

if TYPE_CHECKING:
    from vidagent.graphs.events import Event

_MAX_LINES = 3
"""Claims or sightings that are told, the latest ones."""


@dataclass
class Findings:
    """What the events of a run say of it so far.

    Attributes:
        run_id: The run, once it is recorded and so can be resumed.
        claims: Claims that were supported, with their times.
        sightings: What was seen in looks, not checked yet.
        looks: How many looks have ended.
    """

    run_id: str | None = None
    claims: list[str] = field(default_factory=list)
    sightings: list[str] = field(default_factory=list)
    looks: int = 0

    def add(self, event: Event) -> None:
        """Note an event."""
        data = event.data
        if event.kind == "model":
            self.run_id = data.get("run_id")
        elif event.kind == "observation":
            self.looks += 1
            if data.get("found"):
                self.sightings.append(one_line(event.text))
        elif event.kind == "verdict" and data.get("verdict") in {"supported", "partial"}:
            self.claims.append(f"{format_time(data['time_s'])}  {data['verdict']}: {one_line(data['claim'])}")

    def lines(self) -> Iterator[str]:
        """Yield `label  text` lines; none if no run has begun."""
        if self.run_id is None:
            return
        yield f"stopped   run {self.run_id}"
        seen = [f"seen, not checked: {text}" for text in self.sightings]
        nothing = (
            f"nothing was found in {counted(self.looks, 'look')}" if self.looks else "nothing was looked at"
        )
        for number, text in enumerate((self.claims or seen or [nothing])[-_MAX_LINES:]):
            yield f"{'' if number else 'so far':<9} {text}"
        yield "go on     vidagent runs resume last"
