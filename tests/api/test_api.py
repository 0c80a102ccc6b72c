"""The door for programs: what it takes, what it raises, and what it leaves behind."""

from __future__ import annotations

import asyncio
import inspect
import os
from pathlib import Path

import pytest

import vidagent
from tests.decoding import decoding
from tests.graphs.scripts import Script, answer, clip_look
from tests.media.make import encode
from tests.scripted_server import ScriptedServer, says
from vidagent import api
from vidagent.errors import ModelError, UsageError, VideoError
from vidagent.types import Budget

QUESTION = "When is it seen?"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    video = tmp_path_factory.mktemp("clips") / "clip.mp4"
    encode(video, range(0, 4000, 40))
    return video


@pytest.fixture
def server():
    with ScriptedServer(Script([clip_look(1, 3)], [answer()])) as running:
        yield running


def kept_runs() -> list[Path]:
    folder = Path(os.environ["VIDAGENT_CACHE_DIR"]) / "runs"
    return sorted(folder.iterdir()) if folder.exists() else []


@pytest.mark.network
def test_it_answers_inside_and_outside_of_an_event_loop(path, server):
    options = {"base_url": server.url, "model": "scripted"}
    outside = vidagent.analyze_video(path, QUESTION, **options)

    async def notebook():
        return vidagent.analyze_video(path, QUESTION, **options)

    server._script = Script([clip_look(1, 3)], [answer()])
    inside = asyncio.run(notebook())
    server._script = Script([clip_look(1, 3)], [answer()])
    awaited = asyncio.run(vidagent.aanalyze_video(path, QUESTION, **options))
    assert {found.answer for found in (outside, inside, awaited)} == {"Something is to be seen."}
    assert len({found.run_id for found in (outside, inside, awaited)}) == 3


async def awaited(**wrong):
    return await vidagent.aanalyze_video("no.mp4", QUESTION, **wrong)


async def streamed(**wrong):
    return [event async for event in vidagent.astream_video("no.mp4", QUESTION, **wrong)]


CALLED = {
    "analyze_video": lambda **wrong: vidagent.analyze_video("no.mp4", QUESTION, **wrong),
    "aanalyze_video": lambda **wrong: asyncio.run(awaited(**wrong)),
    "astream_video": lambda **wrong: asyncio.run(streamed(**wrong)),
    "plan_cost": lambda **wrong: api.plan_cost("no.mp4", QUESTION, **wrong),
}


@pytest.mark.parametrize("name", CALLED)
def test_a_misspelt_argument_is_refused_in_the_name_of_the_function(name):
    wanted = rf"^{name}\(\) got an unexpected keyword argument 'bugdet'; did you mean 'budget'\?$"
    with pytest.raises(TypeError, match=wanted):
        CALLED[name](bugdet=3)
    with pytest.raises(TypeError, match=rf"^{name}\(\) got an unexpected keyword argument 'zzz'$"):
        CALLED[name](zzz=3)


@pytest.mark.parametrize("name", CALLED)
def test_a_budget_may_be_a_mapping(name):
    with pytest.raises(UsageError, match="a budget has no limit 'second'; did you mean 'seconds'"):
        CALLED[name](budget={"second": 30})
    with pytest.raises(VideoError, match="no such file"):  # the budget is accepted, and the video opened
        CALLED[name](budget={"seconds": 30})


@pytest.mark.network
def test_no_process_is_left(path, server):
    before = decoding()
    vidagent.analyze_video(path, QUESTION, base_url=server.url, model="scripted")
    with pytest.raises(ModelError):
        vidagent.analyze_video(path, QUESTION, base_url=server.url, model="another")
    assert decoding() <= before
    assert len(kept_runs()) == 2


@pytest.mark.network
def test_events_tell_what_goes_on(path, server):
    events = []
    found = vidagent.analyze_video(
        path, QUESTION, base_url=server.url, model="scripted", on_event=events.append
    )
    kinds = [event.kind for event in events if event.kind != "progress"]
    assert kinds == [
        "model",
        *["step"] * 4,
        "look",
        "observation",
        "step",
        "step",
        *["claim"] * 2,
        *["verdict"] * 2,
        "answer",
    ]
    look = next(event for event in events if event.kind == "look")
    assert (look.data["id"], look.data["tool"], look.data["frames"]) == ("L1", "clip", 32)
    assert len(look.data["frame_times_s"]) == 32
    assert events[-1].text == found.answer
    assert all(event.text and "\n" not in event.text for event in events)


@pytest.mark.network
def test_a_silent_model_is_an_error(path):
    with (
        ScriptedServer([says(None)]) as server,
        pytest.raises(ModelError, match="no usable reply in 3 attempts"),
    ):
        vidagent.analyze_video(path, QUESTION, base_url=server.url, model="scripted")


def test_what_is_wrong_with_the_video(tmp_path):
    (tmp_path / "notes.mp4").write_text("hello")
    for wrong in (tmp_path / "absent.mp4", tmp_path / "notes.mp4", tmp_path):
        with pytest.raises(VideoError):
            vidagent.analyze_video(wrong, QUESTION, model="signals")
    assert kept_runs() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"question": ""},
        {"options": ["one"]},
        {"decoder": "magic"},
        {"base_url": "not a url"},
        {"fps": 1, "num_frames": 2},
        {"resume": "20260101-000000-abcdef"},
    ],
)
def test_what_is_wrong_with_the_request(path, wrong):
    with pytest.raises(UsageError):
        vidagent.analyze_video(path, **{"question": QUESTION, "model": "signals", **wrong})
    assert kept_runs() == []


DOORS = [vidagent.analyze_video, vidagent.aanalyze_video, vidagent.astream_video, api.plan_cost]
ASKING = {
    "options",
    "model",
    "base_url",
    "engine",
    "api_key",
    "budget",
    "fps",
    "num_frames",
    "decoder",
    "video_stream",
    "schema",
}


def test_doors_name_their_keywords():
    named = [set(inspect.signature(door).parameters) - {"path", "question"} for door in DOORS]
    running = ASKING | {"save_frames", "report", "export", "resume", "session"}
    heard = running | {"on_event", "stream"}
    assert named == [heard, heard, running, ASKING]
    defaults = [
        parameter.default for parameter in inspect.signature(vidagent.analyze_video).parameters.values()
    ]
    assert defaults[2:] == [None] * 17 + [False]


@pytest.mark.parametrize("door", [vidagent.analyze_video, api.plan_cost])
def test_a_keyword_that_is_not_there_is_refused(path, door):
    with pytest.raises(TypeError, match="'option'"):
        door(path, QUESTION, option="one")


@pytest.mark.network
@pytest.mark.parametrize("name", ["file", "file/deeper/still", "a\0b"])
def test_a_folder_that_cannot_be_written_is_said_before_anything_is_done(path, server, tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot be written: Not a directory$|is not a path"):
        vidagent.analyze_video(
            path, QUESTION, base_url=server.url, model="scripted", save_frames=tmp_path / name
        )
    assert server.bodies == []


def test_probe_and_index_need_no_model(path):
    probe = api.probe_video(path)
    info = probe.info
    assert (probe.keyframes > 0, probe.shots_s) == (True, None)
    assert (info.width, info.height, info.duration_s) == (320, 180, 4.0)
    report = api.index_video(path)
    assert (report.video, report.to_dict()["video"]["sha256"]) == (info, info.sha256)
    assert any("keyframes" in line for line in report.lines())
    assert api.probe_video(path).shots_s == (0.0,)


@pytest.mark.network
def test_a_dry_run_asks_for_nothing(path, server):
    plan = api.plan_cost(
        path, QUESTION, base_url=server.url, model="scripted", budget=Budget(frames=50), num_frames=10
    )
    assert server.bodies == []
    assert plan.frames <= 50
    assert plan.overview_frames == 10
    assert plan.to_dict()["model"] == "scripted"
    assert kept_runs() == []


@pytest.mark.parametrize(
    ("finer", "note"),
    [
        ({"fps": 99}, "fps 99 asked for, but the video has 100 frames at 25 fps"),
        ({"num_frames": 101}, "num_frames 101 asked for, but the video has 100 frames at 25 fps"),
        ({"num_frames": 100}, None),
    ],
)
def test_a_dry_run_says_where_the_overview_is_not_what_was_asked_for(path, finer, note):
    plan = api.plan_cost(path, QUESTION, model="signals", **finer)
    assert plan.overview_frames == 100
    assert plan.to_dict()["notes"] == ([] if note is None else [note])
    assert [line for line in plan.lines() if "note" in line] == ([] if note is None else [f"note: {note}"])


@pytest.mark.network
def test_models_within_reach(server):
    listed = api.list_models(base_url=server.url)
    assert [(item.model, item.chosen) for item in listed] == [("scripted", True), ("signals", False)]
