"""What the embedded planner answers when no look is left."""

from __future__ import annotations

import pytest

from vidagent.agents.signals.language.wording import is_shown
from vidagent.agents.signals.planning.earlier_looks import Past, Result
from vidagent.agents.signals.planning.planner import known_so_far


def past(*sightings_s: float) -> Past:
    """Return a past of one overview, which saw the text at these times."""
    told = {
        "id": "L1",
        "start_s": 0.0,
        "end_s": 60.0,
        "frame_times_s": [0.0, 10.0, 20.0, 30.0, 40.0, 50.0],
        "sightings": [{"time_s": t, "text": "PIER 9"} for t in sightings_s],
    }
    return Past((Result("overview", is_shown("PIER 9"), {}, told),), (), 60.0, 0.04)


def test_what_was_seen_is_said_with_its_claim_and_without_false_precision():
    answer = known_so_far('When does the text "PIER 9" appear?', past(20.0, 30.0))["args"]
    assert answer["found"] == "yes"
    assert answer["spans"] == [{"start_s": 20.0, "end_s": 30.0}]
    assert answer["claims"] == [
        {"text": 'The text "PIER 9" is shown at 20.000 s.', "ledger": ["L1"], "time_s": 20.0}
    ]
    assert "before its start and end were known" in answer["answer"]
    assert answer["confidence"] == 0.5


@pytest.mark.parametrize(
    "question", ['When does the text "PIER 9" appear?', "When does a dog bark?", "How many shots?"]
)
def test_nothing_is_made_of_nothing(question):
    answer = known_so_far(question, past())["args"]
    assert (answer["found"], answer["spans"], answer["claims"]) == ("cannot_judge", [], [])
