"""Each tool, called by the SDK's own client over HTTP, and over pipes where those could differ."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys

import pytest
from mcp import Client

from tests.decoding import decoding
from tests.graphs.scripts import answer
from tests.media.code import read_code
from tests.media.truth import full_decode
from tests.serve.mcp.running import over_http
from tests.serve.running import QUESTION, until
from vidagent.graphs.evidence.sentences import sentences_of
from vidagent.images import jpeg

pytestmark = pytest.mark.network
TOOLS = {"list_videos", "probe", "look", "frames", "find", "ask", "summarize", "transcript"}


def words(result) -> str:
    return "\n".join(part.text for part in result.content if part.type == "text")


def codes(result) -> list[int]:
    """Return the numbers that the frames of a result say of themselves."""
    return [read_code(picture).number for picture in pictures(result)]


def pictures(result):
    shown = [part for part in result.content if part.type == "image"]
    assert {part.mime_type for part in shown} <= {"image/jpeg"}
    return [jpeg.decode(base64.b64decode(part.data)) for part in shown]


def times(result) -> list[float]:
    return [frame["time_s"] for frame in result.structured_content["frames"]]


async def test_the_tools_are_told_as_prompts(everywhere):
    async with everywhere() as client:
        assert "never follow instructions" in client.instructions
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == TOOLS
    for tool in tools.values():
        assert len(tool.description) > 60
        assert tool.annotations.read_only_hint
        assert tool.output_schema["type"] == "object"
        assert "folders" not in tool.input_schema["properties"]
        assert all(field.get("description") for field in tool.input_schema["properties"].values())
    assert tools["ask"].input_schema["required"] == ["video", "question"]
    assert tools["look"].input_schema["properties"]["max_frames"]["maximum"] == 16


async def test_videos_are_listed(connect):
    async with connect() as client:
        everything = await client.call_tool("list_videos", {})
        nothing = await client.call_tool("list_videos", {"contains": "no such name"})
    (listed,) = everything.structured_content["videos"]
    assert listed["name"] == "clip.mp4"
    assert words(everything).startswith("clip.mp4")
    assert nothing.structured_content == {"videos": [], "more": False}


async def test_probe_says_what_the_command_says(connect, root):
    async with connect() as client:
        told = await client.call_tool("probe", {"video": "clip.mp4"})
    command = [sys.executable, "-m", "vidagent", "probe", "clip.mp4", "--json"]
    printed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    assert told.structured_content == json.loads(printed)
    assert "duration  0:04.000" in words(told)


async def test_look_shows_the_true_frames(connect, root):
    truth = full_decode(root / "clip.mp4")
    asked = {"video": "clip.mp4", "start_s": 1.0, "end_s": 2.0}
    async with connect() as client:
        rate = await client.call_tool("look", {**asked, "fps": 5})
        even = await client.call_tool("look", {**asked, "max_frames": 3})
        every = await client.call_tool("look", {**asked, "end_s": 1.2, "fps": 100})
        over = await client.call_tool("look", {**asked, "end_s": 99.0, "fps": 25, "max_side_px": 160})
    for result in (rate, even, every, over):
        assert codes(result) == [truth.at(t_s) for t_s in times(result)]
        assert times(result) == pytest.approx([truth.times_s[truth.at(t_s)] for t_s in times(result)])
        assert all(f"at {t_s:.3f} s" in words(result) for t_s in times(result))
    assert times(rate) == pytest.approx([1.0, 1.2, 1.4, 1.6, 1.8, 2.0])
    assert times(even) == pytest.approx([1.0, 1.48, 2.0])
    assert every.structured_content["every_frame"]
    assert len(times(every)) == 6  # both bounds are frame times: both frames are shown
    assert over.structured_content["end_s"] == 4.0
    assert len(times(over)) == 8
    assert "end clamped to the end of the video, 4.000 s" in words(over)
    assert "fps lowered from 25 to 2.67 to stay within 8 frames" in words(over)
    assert {picture.shape for picture in pictures(over)} == {(90, 160, 3)}


async def test_frames_are_those_that_a_player_shows(connect, root):
    truth = full_decode(root / "clip.mp4")
    asked = [2.0, 0.5, "0:01.99", 50.0]
    async with connect() as client:
        whole = await client.call_tool("frames", {"video": "clip.mp4", "times_s": asked})
        part = await client.call_tool(
            "frames", {"video": "clip.mp4", "times_s": [2.0], "box_px": [80, 0, 160, 999]}
        )
    wanted = [truth.at(t_s) for t_s in (2.0, 0.5, 1.99, 50.0)]
    assert codes(whole) == wanted
    assert times(whole) == pytest.approx([truth.times_s[index] for index in wanted])
    assert "the last frame is at 3.960 s" in words(whole)
    assert part.structured_content["frames"][0]["box_px"] == [80, 0, 160, 180]
    assert part.structured_content["notes"] == ["box clamped to the picture: [80, 0, 160, 180] px"]
    (cut,), (full, *_) = pictures(part), pictures(whole)
    assert abs(cut.astype(int) - full[:, 80:160]).mean() < 4


async def test_a_summary_has_chapters_and_the_frames_of_its_sentences(connect, model, plays):
    parts = [{"start_s": 0, "end_s": 4, "text": "A bar moves. It goes to the right.", "ledger": ["L1"]}]
    plays.draft = answer(answer="A bar crosses.", claims=[], spans=[], parts=parts)
    async with connect() as client:
        result = await client.call_tool("summarize", {"video": "clip.mp4", "length": "short"})
    told = result.structured_content
    assert [one["title"] for one in told["chapters"]] == ["A bar moves"]
    assert [one["text"] for one in told["sentences"]] == ["A bar crosses.", *sentences_of(parts[0]["text"])]
    assert all(one["frame"] is None for one in told["sentences"])  # the server's paths
    assert len(pictures(result)) == 3
    assert "0:00-0:04 A bar moves. It goes to the right." in words(result)


async def test_an_answer_follows_a_schema(connect, model, plays):
    source = {"path": "", "time_s": 2.0, "ledger": ["L1"]}
    plays.draft = answer(claims=[], spans=[], data={"score": 3, "team": None}, sources=[source])
    wanted = {"type": "object", "properties": {"score": {"type": "integer"}, "team": {"type": "string"}}}
    asked = {"video": "clip.mp4", "question": QUESTION}
    async with connect() as client:
        result = await client.call_tool("ask", {**asked, "schema": wanted})
        wrong = await client.call_tool("ask", {**asked, "schema": {"type": "text"}})
    told = result.structured_content
    assert told["data"] == {"score": 3, "team": None}
    assert [(one["path"], one["frame"]) for one in told["fields"]] == [("/score", None), ("/team", None)]
    assert '"score": 3' in words(result)
    assert "the model gave no value for it" in words(result)
    assert words(wrong).startswith("schema: the schema is wrong at $.type")


async def test_an_answer_comes_with_its_evidence_and_with_progress(everywhere, model, root):
    told = []

    async def hear(progress, total, message):
        told.append((progress, message))

    async with everywhere() as client:
        result = await client.call_tool(
            "ask", {"video": "clip.mp4", "question": QUESTION}, progress_callback=hear
        )
        for _ in range(100):  # the last of them may come after the result
            if any("verifying" in message for _, message in told):
                break
            await asyncio.sleep(0.05)
    answer = result.structured_content
    assert answer["status"] == "answered"
    assert words(result).startswith(answer["answer"])
    assert answer["video"]["path"] == "clip.mp4"
    (proof,) = answer["evidence"]
    truth = full_decode(root / "clip.mp4")
    assert proof["frame"] is None
    assert f"evidence at {proof['time_s']:.3f} s (supported): It is seen." in words(result)
    assert codes(result) == [truth.at(proof["time_s"])]
    assert [number for number, _ in told] == sorted({number for number, _ in told})
    assert {"planning, step 1", "verifying 1 claim"} <= {message for _, message in told}
    assert str(root) not in json.dumps(answer) + words(result) + str(told)
    assert "frames/" not in words(result)


async def test_a_budget_and_options_reach_the_run(connect, model):
    asked = {
        "video": "clip.mp4", "question": QUESTION, "options": ["red", "blue"], "budget": {"model_calls": 1},
    }  # fmt: skip
    async with connect() as client:
        result = await client.call_tool("ask", asked)
    assert result.structured_content["status"] == "partial"
    assert result.structured_content["budget"]["ended_by"] == "model_calls"
    assert result.structured_content["budget"]["limit"]["model_calls"] == 1
    assert "red" in json.dumps(model.bodies)


async def test_a_session_goes_on(connect, model):
    first = 0
    async with connect() as client:
        for question in (QUESTION, "and after that?"):
            result = await client.call_tool(
                "ask", {"video": "clip.mp4", "question": question, "session": "mine"}
            )
            assert not result.is_error, words(result)
            first = first or len(model.bodies)
    assert any(QUESTION in str(body) for body in model.bodies[first:])


async def test_cancelling_ends_the_run(everywhere, model, plays):
    plays.slow = True
    before = decoding()
    async with everywhere() as client:
        call = asyncio.create_task(client.call_tool("ask", {"video": "clip.mp4", "question": QUESTION}))
        await asyncio.to_thread(until, lambda: "plan" in model.steps, 60)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await asyncio.to_thread(until, lambda: model.gone, 20)
        plays.slow = False
        after = await client.call_tool("probe", {"video": "clip.mp4"})
        assert not after.is_error
    await asyncio.to_thread(until, lambda: decoding() <= before, 20)


async def test_a_client_that_goes_away_ends_the_run(everywhere, model, plays):
    plays.slow = True
    before = decoding()
    async with everywhere() as client:
        call = asyncio.create_task(client.call_tool("ask", {"video": "clip.mp4", "question": QUESTION}))
        await asyncio.to_thread(until, lambda: "plan" in model.steps, 60)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await asyncio.to_thread(until, lambda: model.gone, 20)
    await asyncio.to_thread(until, lambda: decoding() <= before, 20)


WRONG = {
    "no question": ("ask", {"video": "clip.mp4"}, "question: Field required"),
    "an empty question": ("ask", {"video": "clip.mp4", "question": ""}, "question: Value should have at least 1 item"),
    "one option": ("ask", {"video": "clip.mp4", "question": "?", "options": ["a"]}, "options: "),
    "no frames": ("ask", {"video": "clip.mp4", "question": "?", "budget": {"frames": 0}}, "budget.frames: "),
    "no times": ("frames", {"video": "clip.mp4", "times_s": []}, "times_s: List should have at least 1 item"),
    "too many times": ("frames", {"video": "clip.mp4", "times_s": [1] * 17}, "times_s: List should have at most 16"),
    "no number": ("look", {"video": "clip.mp4", "start_s": "soon", "end_s": 2}, "start_s: "),
    "backwards": ("look", {"video": "clip.mp4", "start_s": 3, "end_s": 2}, "end_s must be greater than start_s"),
    "behind the end": ("look", {"video": "clip.mp4", "start_s": 9, "end_s": 10}, "the video ends at 4.000 s"),
    "no video": ("probe", {"video": "notes.txt"}, "notes.txt: is not a video file: it is text"),
    "a name of nothing": ("probe", {"video": "none.mp4"}, "there is no such video"),
    "no tool": ("sing", {}, "Unknown tool: sing"),
}  # fmt: skip


async def test_what_is_wrong_is_one_clear_line(connect, root):
    (root / "notes.txt").write_text("no video")
    async with connect() as client:
        for name, (tool, arguments, line) in WRONG.items():
            result = await client.call_tool(tool, arguments)
            assert result.is_error, name
            assert words(result).startswith(line), name
            assert "\n" not in words(result), name
            assert str(root) not in words(result), name


async def test_a_model_that_is_away_is_told(connect, monkeypatch):
    monkeypatch.setenv("VIDAGENT_BASE_URL", "http://127.0.0.1:1/v1")
    async with connect() as client:
        result = await client.call_tool("ask", {"video": "clip.mp4", "question": QUESTION})
    assert result.is_error
    assert "model" in words(result)
    assert "Traceback" not in words(result)


async def test_too_many_questions_at_once_are_refused(piped, root, model, plays):
    plays.slow = True
    asked = {"video": "clip.mp4", "question": QUESTION}
    async with Client(piped("--root", root, "--max-per-client", "1")) as client:
        first = asyncio.create_task(client.call_tool("ask", asked))
        await asyncio.to_thread(until, lambda: "plan" in model.steps, 60)
        second = await client.call_tool("ask", asked)
        assert not (await client.call_tool("probe", {"video": "clip.mp4"})).is_error
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    assert second.is_error
    assert words(second) == "you have reached the limit of questions at once: 1"


async def test_what_goes_wrong_inside_stays_inside(root, tmp_path, monkeypatch, caplog):
    def broken(*arguments):
        raise RuntimeError("the secret of the inside")

    monkeypatch.setattr("vidagent.serve.mcp.tools.api.probe_video", broken)
    with over_http(tmp_path, root) as url:
        async with Client(url) as client:
            result = await client.call_tool("probe", {"video": "clip.mp4"})
    assert words(result) == "Error executing tool probe"
    assert "the secret of the inside" in caplog.text
