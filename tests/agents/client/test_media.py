"""Media forms: what of a request's pictures becomes a video, and what goes beside them."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import math

import av
import cv2
import numpy as np
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from vidagent.agents.client.media import holds_video, place
from vidagent.agents.profiles.schema import Media
from vidagent.agents.prompting.messages import (
    FRAME_REFS,
    count_frames,
    frames_content,
    look_messages,
    parts_of,
    plan_messages,
    read_block,
    read_frames,
)
from vidagent.images import jpeg
from vidagent.images.shown_frame import ShownFrame

EVEN = [2.0, 2.5, 3.0, 3.5]
UNEVEN = [0.0, 1.5, 12.3, 13.7]
AS_IS = {"do_sample_frames": False}
TILES = {"max_num_tiles": 4}
VLLM = Media(
    forms={"plan": "frames", "overview": "frames", "look": "images", "verify": "images"},
    image_ids=True,
    per_request=True,
    processor=TILES,
    video_processor=AS_IS,
)
MP4 = dataclasses.replace(VLLM, forms={"look": "mp4", "plan": "mp4"})


def frame(time_s, size_wh=(64, 48), box=None) -> ShownFrame:
    rgb = np.full((size_wh[1], size_wh[0], 3), int(20 * time_s) % 256, np.uint8)
    return ShownFrame.of(time_s, jpeg.encode(rgb), box)


def look(times_s, **changes):
    return look_messages("When?", None, "the ball", [frame(t, **changes) for t in times_s])


def parts(messages, kind=None) -> list:
    found = [part for message in messages for part in parts_of(message)]
    return [part for part in found if kind in {None, part["type"]}]


def on_wire(messages) -> list:
    """Return role and parts of messages, as a chat model sends them."""
    return [(message.type, parts_of(message)) for message in messages]


def pictures(messages) -> list:
    """Return role and parts of messages with each frame as a JPEG in a data URL."""

    def picture(part):
        if part["type"] != "frame":
            return part
        data = base64.b64encode(part["frame"].jpeg).decode()
        return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}

    return [(message.type, [picture(part) for part in parts_of(message)]) for message in messages]


def frames_of(messages) -> list:
    """Return time, JPEG and box of the frames of messages that are not placed yet."""
    frames = [part["frame"] for part in parts(messages, "frame")]
    return [(round(f.time_s, 3), f.jpeg, f.box_px if f.cropped else None) for f in frames]


def video_of(sent) -> tuple[str, str]:
    """Return what is said of the one video, and its URL."""
    listed = parts(sent.messages)
    (place,) = [place for place, part in enumerate(listed) if part["type"] == "video_url"]
    return listed[place - 1]["text"], listed[place]["video_url"]["url"]


def payload(url: str) -> bytes:
    return base64.b64decode(url.partition(",")[2], validate=True)


# --- images


def test_nothing_is_changed_for_a_server_nobody_described():
    messages = look(EVEN)
    sent = place(messages, Media(), "look")
    assert (on_wire(sent.messages), sent.body) == (pictures(messages), {})


def test_a_form_for_something_else_changes_nothing():
    messages = look(EVEN)
    sent = place(messages, Media(forms={"overview": "frames", "plan": "mp4"}, per_request=True), "look")
    assert (on_wire(sent.messages), sent.body) == (pictures(messages), {})


def test_the_references_go_beside_the_pictures_and_to_no_server():
    shown = [frame(t) for t in EVEN]
    [_, human] = place(look(EVEN), Media(), "look").messages
    assert human.additional_kwargs == {FRAME_REFS: [each.ref for each in shown]}
    assert all(set(part) <= {"type", "text", "image_url"} for part in human.content)
    mixed = HumanMessage(
        [*frames_content(shown), {"type": "image_url", "image_url": {"url": "http://x/y.jpg"}}]
    )
    assert place([mixed], Media(), "look").messages[0].additional_kwargs == {}


def test_a_picture_is_named_by_its_bytes_and_how_it_is_cut():
    messages = look([2.0])
    plain = place(messages, Media(image_ids=True), "look")
    (image,) = parts(plain.messages, "image_url")
    assert image["uuid"] == hashlib.sha256(frame(2.0).jpeg).hexdigest()
    assert plain.body == {}
    names = {image["uuid"]}
    for tiles in (1, 4):
        media = Media(image_ids=True, per_request=True, processor={"max_num_tiles": tiles})
        sent = place(messages, media, "look")
        assert sent.body == {"mm_processor_kwargs": {"max_num_tiles": tiles}}
        names.add(parts(sent.messages, "image_url")[0]["uuid"])
    assert len(names) == 3
    assert place(messages, media, "look") == sent


def test_the_messages_given_are_left_as_they_are():
    messages = look(EVEN)
    before = [message.model_copy(deep=True) for message in messages]
    place(messages, VLLM, "overview")
    place(messages, VLLM, "look")
    assert messages == before


def test_without_pictures_nothing_goes_beside():
    sent = place([HumanMessage("hello"), AIMessage("hi"), HumanMessage("so?")], VLLM, "overview")
    assert sent.body == {}
    assert [message.content for message in sent.messages] == ["hello", "hi", "so?"]


# --- a list of frames


@pytest.mark.parametrize("times_s", [EVEN, UNEVEN, [0.0, 1 / 3], [3599.96, 3600.001], [1.0, 1.001]])
def test_listed_frames_carry_their_times(times_s):
    messages = look(times_s)
    sent = place(messages, VLLM, "overview")
    told, url = video_of(sent)
    sampling = sent.body["media_io_kwargs"]["video"]
    assert sent.body["mm_processor_kwargs"] == AS_IS
    assert (sampling["fps"], sampling["num_frames"]) == (1000, -1)
    assert sampling["frames_indices"] == [round(1000 * t) for t in times_s]  # 1000 * 1.001 is just below 1001
    assert all(type(index) is int for index in sampling["frames_indices"])
    assert sampling["total_num_frames"] > sampling["frames_indices"][-1]
    assert sampling["duration"] == sampling["total_num_frames"] / 1000
    head, *data = url.split(",")
    assert head == "data:video/jpeg;base64"
    assert [base64.b64decode(item) for item in data] == [frame(t).jpeg for t in times_s]
    assert (
        f"A video of {len(times_s)} frames, from t = {times_s[0]:.3f} s to t = {times_s[-1]:.3f} s." in told
    )
    listed = told.strip().rpartition(": ")[2].split(", ")
    assert [float(time) for time in listed] == [round(t, 3) for t in times_s]
    assert count_frames(sent.messages) == 0


def test_what_stands_round_the_frames_stays():
    messages = plan_messages("When?", None, "60 s", [frame(t) for t in EVEN], "", 1, None, [])
    sent = place(messages, VLLM, "plan")
    assert [part["type"] for part in parts(sent.messages)] == ["text"] * 4 + ["video_url"] + ["text"] * 3
    for name in ("video", "question", "ledger"):
        assert read_block(sent.messages, name) == read_block(messages, name)


def test_a_server_that_takes_no_fields_gets_pictures():
    media = dataclasses.replace(VLLM, per_request=False)
    sent = place(look(EVEN), media, "overview")
    assert read_frames(sent.messages) == frames_of(look(EVEN))
    assert sent.body == {}


def test_a_video_is_named_by_its_frames_and_times():
    sent = [place(look(times), VLLM, "overview") for times in (EVEN, EVEN, [t + 64 for t in EVEN], UNEVEN)]
    names = [parts(each.messages, "video_url")[0]["uuid"] for each in sent]
    shades = [frame(t).jpeg for t in EVEN], [frame(t + 64).jpeg for t in EVEN]
    assert shades[0] == shades[1]  # the same pixels an age later are not the same video
    assert names[0] == names[1]
    assert len(set(names)) == 3


# --- what stays a row of pictures


@pytest.mark.parametrize(
    "frames",
    [
        [frame(1.0)],
        [frame(1.0, box=(0, 0, 32, 24)), frame(1.0, box=(32, 0, 64, 24))],
        [frame(1.0), frame(2.0, size_wh=(64, 50))],
        [frame(float(t)) for t in range(9)],
    ],
)
@pytest.mark.parametrize("form", ["frames", "mp4"])
def test_what_is_no_video_stays_pictures(frames, form):
    messages = look_messages("When?", None, "the ball", frames)
    sent = place(messages, dataclasses.replace(VLLM, forms={"look": form}, video_frames=8), "look")
    assert read_frames(sent.messages) == frames_of(messages)
    assert sent.body == {"mm_processor_kwargs": TILES}
    assert not holds_video(sent.messages)


def test_the_longest_row_is_the_video_and_the_rest_stay():
    crop = frame(9.0, box=(0, 0, 32, 24))
    content = frames_content([frame(1.0), frame(2.0), crop, *map(frame, (4.0, 5.0, 6.0))])
    tool = ToolMessage([{"type": "text", "text": "t = 7.000 s"}], tool_call_id="1")
    sent = place([HumanMessage(content), tool, HumanMessage(frames_content([frame(8.0)]))], VLLM, "overview")
    assert [time_s for time_s, _, _ in read_frames(sent.messages)] == [1.0, 2.0, 9.0, 8.0]
    assert "3 frames, from t = 4.000 s to t = 6.000 s" in video_of(sent)[0]
    assert sent.body["mm_processor_kwargs"] == {**TILES, **AS_IS}
    assert holds_video(sent.messages)
    assert not holds_video([tool, HumanMessage("hello")])


def test_rows_of_two_messages_are_two_rows():
    rows = [HumanMessage(frames_content([frame(1.0)])), HumanMessage(frames_content([frame(2.0)]))]
    assert not holds_video(place(rows, VLLM, "overview").messages)


# --- an mp4


def decoded(url: str) -> list[tuple[float, np.ndarray]]:
    with av.open(io.BytesIO(payload(url))) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate
        shown = [picture.to_ndarray(format="rgb24") for picture in container.decode(stream)]
    return [(float(number / rate), rgb) for number, rgb in enumerate(shown)]


@pytest.mark.parametrize("rate", [24000 / 1001, 25.0, 30000 / 1001, 60.0, 0.08])
@pytest.mark.parametrize("start_s", [0.0, 71.3])
def test_an_mp4_is_on_a_clock_of_its_own(rate, start_s):
    times_s = [start_s + number / rate for number in range(12)]
    sent = place(look(times_s), MP4, "look")
    told, url = video_of(sent)
    shown = decoded(url)
    for (at_s, rgb), time_s in zip(shown, times_s, strict=True):
        assert start_s + at_s == pytest.approx(time_s, abs=1e-3)  # labels are in milliseconds
        assert cv2.absdiff(rgb, jpeg.decode(frame(time_s).jpeg)).max() <= 3
    shifted = f"begins at t = {start_s:.3f} s: add 71.3 to" in told
    assert shifted == (start_s > 0)
    sampling = sent.body["media_io_kwargs"]["video"]
    assert sampling["num_frames"] == 12
    assert math.floor(12 / rate * sampling["fps"]) >= 12
    assert sent.body["mm_processor_kwargs"] == AS_IS


def test_where_one_field_is_all_it_is_the_count():
    nim = dataclasses.replace(MP4, sampling="one", video_processor={})
    assert place(look(EVEN), nim, "look").body == {"media_io_kwargs": {"video": {"num_frames": 4}}}


@pytest.mark.parametrize(("step_s", "video"), [(0.4, False), (0.5, True), (3.0, True)])
def test_a_server_that_samples_by_itself_has_to_take_every_frame(step_s, video):
    media = Media(forms={"look": "mp4"}, video_fps=2.0)
    sent = place(look([number * step_s for number in range(7)]), media, "look")
    assert holds_video(sent.messages) == video
    assert sent.body == {}


@pytest.mark.parametrize(
    ("times_s", "video"),
    [
        ([0.0, 1.0, 2.0, 3.0], True),
        ([0.0, 1.24, 2.0, 3.0], True),  # nearer to its own place than to a quarter step
        ([0.0, 1.26, 2.0, 3.0], False),
        (UNEVEN, False),
        ([1.0, 1.0], False),
    ],
)
def test_uneven_frames_are_no_mp4(times_s, video):
    assert holds_video(place(look(times_s), MP4, "look").messages) == video


def test_the_same_frames_make_the_same_request():
    assert place(look(EVEN), MP4, "look") == place(look(EVEN), MP4, "look")


def test_a_video_behind_a_url_gets_no_name():
    """It may be replaced, and the server would answer from what it made of the old one."""
    url = {"type": "video_url", "video_url": {"url": "file:///videos/talk.mp4"}}
    sent = place([HumanMessage([url])], Media(image_ids=True), "look")
    assert parts(sent.messages, "video_url") == [url]
