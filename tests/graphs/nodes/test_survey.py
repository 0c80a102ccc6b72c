"""What the planner is told of a video before anything is looked at."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest

from vidagent.agents.profiles.schema import Profile
from vidagent.graphs.nodes.survey import describe
from vidagent.types import KnownHash, VideoInfo
from vidagent.video.index.scan import Scan


class Index:
    """An index that may have been scanned before, and has a speech server."""

    def __init__(self, cuts_s=(), *, scanned: bool = False) -> None:
        self.cuts_s, self.was_scanned, self.ear = tuple(cuts_s), scanned, "a server"

    def scanned(self) -> bool:
        return self.was_scanned

    def scan(self) -> Scan:
        return Scan((), self.cuts_s, (), True)

    def activity(self):
        return SimpleNamespace(busiest=lambda _: [])

    def cues(self) -> list:
        return []


def told(index: Index, length_s: float, *, tools=("search",), audio: str | None = None) -> str:
    info = VideoInfo(
        "a.mp4", length_s, Fraction(25), 640, 360, "0" * 64, KnownHash("0" * 64), "h264", "mp4", audio=audio
    )
    client = SimpleNamespace(profile=Profile("scripted"))
    return describe(
        SimpleNamespace(
            video=SimpleNamespace(info=info), index=index, client=client, tools=dict.fromkeys(tools)
        )
    )


@pytest.mark.parametrize("length_s", [60.0, 1200.0])
def test_it_does_not_depend_on_what_is_cached(length_s):
    cuts_s = (4.0, 9.5)
    assert told(Index(cuts_s, scanned=True), length_s) == told(Index(cuts_s), length_s)


def test_few_cuts_are_listed_and_many_only_counted():
    assert "3 shots, cuts at 4.000, 9.500 s" in told(Index((4.0, 9.5)), 60.0)
    many = told(Index([second / 10 for second in range(1, 60)]), 60.0)
    assert "60 shots" in many
    assert "cuts at" not in many


def test_search_is_named_only_where_it_is_offered():
    assert "a search for what is said" in told(Index(), 60.0, audio="aac")
    assert "search" not in told(Index(), 60.0, audio="aac", tools=("clip",))
