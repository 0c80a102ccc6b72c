"""What clients are told of a run."""

from __future__ import annotations

from vidagent.graphs.events import Event
from vidagent.serve.core.question_service import event_body


def test_notes_of_looks_tell_no_paths_and_no_addresses():
    note = (
        "speech could not be transcribed: the transcription server at http://10.0.0.5:8000/v1 cannot be reached; "
        "/srv/videos/a.mp4: the decoder hung (/srv/models/x)"
    )
    event = Event(
        "look", "search 0.000-3.000 s, the index: what is said?", "look", {"notes": [note], "id": "L1"}
    )
    assert event_body(event, {"/srv/videos/a.mp4": "a.mp4"}, "rest")["data"] == {
        "id": "L1",
        "notes": [
            "speech could not be transcribed: the transcription server at … cannot be reached; "
            "a.mp4: the decoder hung (…)"
        ],
    }
