"""Times that an observer reports: those of frames shown, also where a server had rounded them."""

from __future__ import annotations

import json

import pytest

from tests.graphs.scripts import Script, answer, clip_look, observation
from tests.scripted_server import labelled_images, step_of, tool_results
from vidagent.agents.prompting.replies import Observation
from vidagent.graphs.nodes.look import on_frames
from vidagent.images.shown_frame import ShownFrame


def stills(*times_s: float) -> list[ShownFrame]:
    return [ShownFrame(time_s, "0" * 64, (8, 8), (0, 0, 8, 8)) for time_s in times_s]


@pytest.mark.parametrize(
    ("shown", "told", "taken"),
    [
        ((2.0, 2.5, 3.0), 2.5, 2.5),
        ((2.0, 2.5, 3.0), 2.2, 2.0),  # the middle of two frames, 2.25, cut to a tenth
        ((2.0, 2.5, 3.0), 2.3, 2.5),
        ((1 / 3, 2 / 3), 0.67, 0.667),
        ((0.0, 1.5, 12.3, 13.7), 0.8, 1.5),
        ((0.0, 1.5, 12.3, 13.7), 9.0, 12.3),
        ((2.0, 2.5, 3.0), 1.76, 2.0),
        ((2.0, 2.5, 3.0), 1.74, 1.74),  # no frame's
        ((2.0, 2.5, 3.0), 3.25, 3.0),
        ((2.0, 2.5, 3.0), 65.0, 65.0),
        ((2.48, 2.48), 2.5, 2.48),
        ((2.48,), 2.6, 2.6),
    ],
)
def test_a_time_is_taken_to_its_frame(shown, told, taken):
    seen = Observation.model_validate(
        {"found": True, "what": "x", "sightings": [{"time_s": told, "text": "A"}], "confidence": 0.4}
    )
    placed = on_frames(seen, stills(*shown))
    assert [sighting.time_s for sighting in placed.sightings] == [taken]
    assert (placed.sightings[0].text, placed.what, placed.confidence) == ("A", "x", 0.4)


def test_nothing_seen_stays_nothing():
    nothing = Observation(found=False, what="", confidence=1.0)
    assert on_frames(nothing, stills(1.0)) == nothing


@pytest.mark.network
def test_the_planner_is_told_the_frames_own_times(ask):
    class Rounds(Script):
        def __call__(self, body):
            if step_of(body) == "look":
                self.look = observation(times=[round(time_s, 1) for time_s, _ in labelled_images(body)])
            return super().__call__(body)

    _, server = ask(Rounds([clip_look(1, 1.5)], [answer()]))
    plan, look = (
        [body for body in server.bodies if step_of(body) == step][place]
        for step, place in (("plan", 1), ("look", 0))
    )
    shown = [time_s for time_s, _ in labelled_images(look)]
    assert len({round(time_s, 1) for time_s in shown}) < len(shown)  # rounding has lost frames
    (told,) = [json.loads(result) for result in tool_results(plan)]
    assert {sighting["time_s"] for sighting in told["sightings"]} <= set(shown)
