"""The times beside frames: those that a server writes itself, and those that it writes when we tell it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.live.frame_times import FORMS, LABELS, Labels, off_s
from tests.live.rates import RATES, encode, shown_times
from tests.live.server import Server
from tests.live.serving import NEMOTRON, QWEN

pytestmark = [pytest.mark.vllm, pytest.mark.network]

LATE_FRAMES = 8

each_start = pytest.mark.parametrize("late_frames", [0, LATE_FRAMES])
each_rate = pytest.mark.parametrize("rate", RATES)
each_shape = pytest.mark.parametrize("labels", LABELS, ids=[labels.shape.name for labels in LABELS])


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Path]:
    """Return the function from a rate and a start to a clip."""
    folder = tmp_path_factory.mktemp("rates")
    return cache(lambda rate, late: encode(folder / f"{rate}-{late}.mp4", RATES[rate], late))


@pytest.fixture
def server(labels: Labels, request: pytest.FixtureRequest) -> Server:
    return request.getfixturevalue({QWEN: "tiny_server", NEMOTRON: "nemotron_server"}[labels.shape])


@each_shape
@each_rate
@each_start
def test_frames_with_their_times_are_labelled_right(server, labels, rate, late_frames, clip):
    """Any range, any rate, any start: 5 ms at most beside the label's own rounding."""
    sent = FORMS["our frames, 30 s"](clip(rate, late_frames), labels.media)
    off = off_s(server, labels, sent)
    assert len(off) == (30 if labels.shape is QWEN else 60)
    assert max(map(abs, off)) <= 0.005 + labels.rounding_s


@each_shape
@each_rate
@each_start
def test_an_mp4_of_ours_is_labelled_within_a_frame(server, labels, rate, late_frames, clip):
    """Its steps are even, and the frames at even times lie up to a frame beside them.

    For Nemotron the server cuts the step to whole milliseconds, so that each frame may add one to what is off.
    """
    sent = FORMS["our mp4, 8 s of 4 fps"](clip(rate, late_frames), labels.media)
    off = off_s(server, labels, sent)
    assert len(off) == (16 if labels.shape is QWEN else 32)
    cut_s = 0.001 * len(off) if labels.shape is NEMOTRON else 0.0
    assert max(map(abs, off)) <= float(1 / RATES[rate]) + labels.rounding_s + cut_s


@each_shape
@each_rate
@each_start
@pytest.mark.parametrize("form", ["the file, 2 fps", "the file, 16 frames"])
def test_a_file_as_it_is_gets_other_times(server, labels, rate, late_frames, clip, form):
    """The server takes frame numbers for times, from 0: why frames go with their times instead.

    A picture that begins late is early by as much, and for Nemotron a frame lasts whole milliseconds, cut off.
    """
    path = clip(rate, late_frames)
    off = off_s(server, labels, FORMS[form](path, labels.media))
    late_s, frame_s = shown_times(path)[0], 1 / RATES[rate]
    cut_s = float(frame_s) - int(1000 * frame_s) / 1000 if labels.shape is NEMOTRON else 0.0
    drift_s = cut_s * (len(shown_times(path)) - 1)
    assert off[0] == pytest.approx(-late_s, abs=float(frame_s) + labels.rounding_s)
    assert off[-1] == pytest.approx(-late_s - drift_s, abs=float(frame_s) + labels.rounding_s)
