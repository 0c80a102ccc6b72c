"""Images and videos for a question: where they may lie, and what of them goes on the wire."""

from __future__ import annotations

import base64
import dataclasses
import io
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.media.code import read_code
from tests.media.make import CLIPS
from vidagent.agents.direct.attachments import image
from vidagent.agents.direct.video_input import Clip, SentVideo, prepare_video, video
from vidagent.agents.profiles.loader import load
from vidagent.errors import UsageError, VideoError
from vidagent.images import jpeg

RGB = np.random.default_rng(5).integers(0, 255, (40, 60, 3), np.uint8)
JPEG = jpeg.encode(RGB)
WEB = "https://example.org/nature-boardwalk.jpg"
VLLM = load("nemotron-nano-12b-v2-vl")
NIM = load("nim")
STRANGER = load("default")
FRAMES = 200
"""Of the clip: 8 s at 25 a second."""


def coded(suffix: str) -> bytes:
    done, data = cv2.imencode(suffix, cv2.cvtColor(RGB, cv2.COLOR_RGB2BGR))
    assert done
    return data.tobytes()


def url_of(attached) -> str:
    part = attached.part()
    assert part["type"] == "image_url"
    return part["image_url"]["url"]


def unpacked(url: str) -> tuple[str, bytes]:
    head, _, data = url.partition(";base64,")
    return head, base64.b64decode(data, validate=True)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return CLIPS["h264"](tmp_path_factory.mktemp("clip")).path


@pytest.fixture(scope="module")
def uneven(tmp_path_factory) -> Path:
    return CLIPS["vfr_mp4"](tmp_path_factory.mktemp("clip")).path


# --- images


@pytest.mark.parametrize("url", [WEB, WEB.replace("https", "HTTP"), "file:///srv/media/image.jpg"])
def test_urls_are_left_to_the_server(url):
    assert url_of(image(url)) == url


@pytest.mark.parametrize(("suffix", "kind"), [(".jpg", "data:image/jpeg"), (".png", "data:image/png")])
def test_jpeg_and_png_are_sent_byte_for_byte(tmp_path, suffix, kind):
    data = coded(suffix)
    path = tmp_path / "picture.dat"  # told by its content, not by its name
    path.write_bytes(data)
    for source in (path, str(path), data, f"{kind};base64,{base64.b64encode(data).decode()}"):
        assert unpacked(url_of(image(source))) == (kind, data)


@pytest.mark.parametrize("suffix", [".webp", ".bmp", ".tiff", ".gif"])
def test_other_formats_become_jpeg(suffix):
    head, data = unpacked(url_of(image(coded(suffix))))
    assert head == "data:image/jpeg"
    assert data.startswith(b"\xff\xd8\xff")
    assert jpeg.size_wh(data) == (60, 40)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"", "has no bytes"),
        (b"%PDF-1.7 no picture", "not a picture; JPEG and PNG are sent as they are"),
        (JPEG[:10], "not a picture"),
        ("", "give a URL, a path or bytes"),
        ("s3://bucket/a.jpg", "http, https, file and data; got s3"),
        ("missing.jpg", "missing.jpg cannot be read: No such file or directory"),
        ("data:image/jpeg;base64,SGVsbG8gZGVh...ciBmZWxsb3chIQ==", "not base64"),
        ("data:image/jpeg,plain", "begins like data:image/…;base64,"),
        ("data:video/mp4;base64,AAAA", "begins like data:image/…;base64,"),
    ],
)
def test_what_is_no_image_is_told(source, words):
    with pytest.raises(UsageError, match=words):
        image(source).part()


# --- which frames of a video may be asked for


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"fps": 2, "num_frames": 16}, "not both; got fps 2 and num_frames 16"),
        ({"fps": 0}, "fps must be more than 0, got 0"),
        ({"num_frames": -1}, "num_frames must be more than 0, got -1"),
        ({"max_frames": 8}, "goes with fps or num_frames; got 8"),
        ({"fps": 2, "max_frames": 0}, "max_frames is 1 or more"),
        ({"fps": 2, "indices": [1]}, "indices go without fps"),
        ({"indices": [3, 3]}, r"each once; got \[3, 3\]"),
        ({"indices": [-1, 3]}, "rise from 0"),
    ],
)
def test_frames_are_asked_for_in_one_way(asked, words):
    with pytest.raises(UsageError, match=words):
        video("talk.mp4", **asked)


@pytest.mark.parametrize(
    ("asked", "profile", "words"),
    [
        ({"num_frames": 129}, VLLM, "takes 128 frames of one video at most; got num_frames for 129"),
        ({"fps": 20}, VLLM, "fps 20 would take 160 frames of this video, and the model takes 128"),
        (
            {"fps": 30, "max_frames": 128},
            NIM,
            "fps 30 is more than there is: the video has 200 frames at 25 fps",
        ),
        ({"indices": range(129)}, VLLM, "128 frames of one video at most; got indices for 129"),
        ({"indices": [0, 200]}, VLLM, "frames 0 to 199; got index 200"),
        ({"fps": 2}, STRANGER, "--trust-request-mm-kwargs"),
    ],
)
def test_more_than_the_model_takes_is_refused_before_the_request(clip, asked, profile, words):
    with pytest.raises(UsageError, match=words):
        prepare_video(video(clip, **asked), profile)


def test_more_than_a_short_video_has_is_refused_by_nim_and_clamped_for_vllm(clip):
    few = dataclasses.replace(VLLM, media=dataclasses.replace(VLLM.media, video_frames=1000))
    strict = dataclasses.replace(NIM, media=dataclasses.replace(NIM.media, video_frames=1000))
    with pytest.raises(
        UsageError, match="num_frames 300 is more than there is: the video has 200 frames at 25 fps"
    ):
        prepare_video(video(clip, num_frames=300), strict)
    sent = prepare_video(video(clip, num_frames=300), few)
    assert sent.sampling["num_frames"] == FRAMES
    assert sent.note == "num_frames 300 asked for, but the video has 200 frames at 25 fps"


# --- a video left to the server


def test_a_video_without_a_word_on_frames_brings_no_options(clip):
    [part] = prepare_video(video(clip), STRANGER).parts
    assert part["type"] == "video_url"
    assert unpacked(part["video_url"]["url"]) == ("data:video/mp4", clip.read_bytes())
    assert prepare_video(video(clip), VLLM).sampling is None


@pytest.mark.parametrize("url", ["https://example.org/scene.mp4", "file:///srv/media/video.mp4"])
def test_urls_of_videos_are_left_to_the_server(url):
    [part] = prepare_video(video(url, fps=2), VLLM).parts
    assert part == {"type": "video_url", "video_url": {"url": url}}


def told(source, profile, **asked) -> dict:
    return dict(prepare_video(video(source, **asked), profile).sampling or {})


def test_vllm_is_told_rate_and_number_as_one_wipes_the_other(clip):
    assert told(clip, VLLM, fps=2) == {"fps": 2, "num_frames": 128}
    assert told(clip, VLLM, fps=8, max_frames=20) == {"num_frames": 20, "fps": 2.5625}
    assert told("https://example.org/a.mp4", VLLM, fps=8, max_frames=20) == {"fps": 8, "num_frames": 20}
    assert told("https://example.org/a.mp4", VLLM, num_frames=16) == {"num_frames": 16}


@pytest.mark.parametrize("count", [1, 7, 128])
def test_the_rate_told_with_a_number_comes_to_it(clip, count):
    """As vLLM counts: the lesser of num_frames and floor(duration * fps)."""
    sent = told(clip, VLLM, num_frames=count)
    assert min(sent["num_frames"], int(8.0 * sent["fps"])) == count


def test_nim_is_told_one_number(clip):
    assert told(clip, NIM, fps=3.0) == {"fps": 3.0}
    assert told(clip, NIM, num_frames=16) == {"num_frames": 16}
    assert told(clip, NIM, fps=8, max_frames=20) == {"num_frames": 20}
    assert told("https://example.org/a.mp4", NIM, fps=3.0) == {"fps": 3.0}
    with pytest.raises(UsageError, match="got fps 8 and max_frames 20"):
        told("https://example.org/a.mp4", NIM, fps=8, max_frames=20)


def test_a_file_url_and_bytes_are_measured_like_a_path(clip):
    for source in (clip.as_uri(), clip.read_bytes(), unsplit(clip.read_bytes())):
        assert told(source, NIM, fps=8, max_frames=20) == {"num_frames": 20}


def unsplit(data: bytes) -> str:
    return "data:video/mp4;base64," + base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("source", "words"), [("missing.mp4", "missing.mp4: no such file"), (Path(__file__), "it is text")]
)
def test_what_is_no_video_is_told(source, words):
    with pytest.raises(VideoError, match=words):
        prepare_video(video(source), VLLM)


# --- frames taken here


def frames_of(sent: SentVideo) -> list:
    """Return the pictures of a video of listed JPEGs."""
    url = sent.parts[-1]["video_url"]["url"]
    head, _, listed = url.partition(";base64,")
    assert head == "data:video/jpeg"
    return [jpeg.decode(base64.b64decode(data, validate=True)) for data in listed.split(",")]


@pytest.mark.parametrize(
    ("asked", "indices"),
    [
        ({"num_frames": 4}, [0, 66, 133, 199]),
        ({"fps": 0.5}, [0, 66, 133, 199]),
        ({"fps": 8, "max_frames": 3}, [0, 100, 199]),
        ({"indices": [5, 6, 150]}, [5, 6, 150]),
        ({}, [0, 13, 27, 40, 53, 66, 80, 93, 106, 119, 133, 146, 159, 172, 186, 199]),
    ],
)
def test_each_frame_taken_here_is_the_one_of_its_time(clip, asked, indices):
    """The model card's rule: `np.round(np.linspace(0, 199, n))`."""
    sent = prepare_video(video(clip, here=True, **asked), VLLM)
    codes = [read_code(rgb) for rgb in frames_of(sent)]
    assert [code.number for code in codes] == indices
    assert [code.millis for code in codes] == sent.sampling["frames_indices"]
    assert (sent.sampling["fps"], sent.frames) == (1000, len(indices))


def test_times_are_those_of_the_frames_also_where_they_are_uneven(uneven):
    sent = prepare_video(video(uneven, num_frames=6, here=True), VLLM)
    codes = [read_code(rgb) for rgb in frames_of(sent)]
    assert [code.number for code in codes] == [0, 22, 44, 66, 88, 110]
    assert [code.millis for code in codes] == sent.sampling["frames_indices"]


def test_for_nim_frames_taken_here_go_as_an_mp4_where_they_are_evenly_spaced(clip):
    sent = prepare_video(video(clip, indices=[0, 50, 100, 150]), NIM)
    head, data = unpacked(sent.parts[-1]["video_url"]["url"])
    assert head == "data:video/mp4"
    assert sent.sampling == {"num_frames": 4}
    with av.open(io.BytesIO(data)) as made:
        numbers = [read_code(frame.to_ndarray(format="rgb24")).number for frame in made.decode(video=0)]
    assert numbers == [0, 50, 100, 150]


def test_for_a_stranger_frames_taken_here_are_images_with_their_times(clip):
    sent = prepare_video(video(clip, indices=[0, 50]), STRANGER)
    assert [part["type"] for part in sent.parts] == ["text", "image_url"] * 2
    assert [part["text"] for part in sent.parts[::2]] == ["t = 0.000 s", "t = 2.000 s"]
    assert (sent.sampling, sent.frames) == (None, 0)


def test_frames_are_taken_here_only_of_what_can_be_read_here():
    with pytest.raises(UsageError, match="download it first"):
        prepare_video(video("https://example.org/a.mp4", here=True), VLLM)


def test_a_clip_says_what_was_asked():
    assert video("a.mp4", indices=[1, 2]) == Clip(Path("a.mp4"), indices=(1, 2), here=True)
