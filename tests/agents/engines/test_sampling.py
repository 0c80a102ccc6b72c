"""Videos sampled for an engine: the frames that the model card's function takes, at the times that a player shows."""

from __future__ import annotations

import numpy as np
import pytest

from tests.media.code import read_code
from tests.media.make import CLIPS
from vidagent.agents.engines.media import read_video
from vidagent.video.video import Video

EXAMPLES = (
    ("8fps_max128frames", {"fps": 8, "max_frames": 128}, {"fps": 8, "nframe_max": 128}),
    ("2fps", {"fps": 2}, {"fps": 2}),
    ("16frames", {"num_frames": 16}, {"nframe": 16}),
    ("8fps_max20frames", {"fps": 8, "max_frames": 20}, {"fps": 8, "nframe_max": 20}),
    ("all", {"num_frames": 1000}, {"nframe": 1000}),
    ("one", {"num_frames": 1}, {"nframe": 1}),
)
"""The name of a sample, how we ask for it, and how the model card's `sample_video_frames` is asked."""


def card(total_frames, video_fps, fps=0, nframe=0, nframe_max=-1):
    """Return `indices` as the model card of Nemotron Nano 12B v2 VL computes them."""
    if fps > 0:
        desired = max(1, int(total_frames / max(1e-6, video_fps) * fps))
    else:
        desired = max(1, int(nframe) if nframe and nframe > 0 else 8)
    if nframe_max > 0 and desired > nframe_max:
        desired = nframe_max
    if desired >= total_frames:
        return list(range(total_frames))
    if desired == 1:
        return [0]
    return list(np.unique(np.round(np.linspace(0, total_frames - 1, desired)).astype(int)))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return {name: CLIPS[name](folder).path for name in ("h264", "vfr_mp4")}


@pytest.mark.parametrize(("ours", "theirs"), [row[1:] for row in EXAMPLES], ids=[row[0] for row in EXAMPLES])
@pytest.mark.parametrize("name", ["h264", "vfr_mp4"])
def test_the_frames_are_those_of_the_model_card(clips, name, ours, theirs):
    with Video.open(clips[name]) as video:
        times = video.frame_times(0.0, video.info.duration_s + 1.0)
        rate = float(video.info.fps)
    wanted = card(len(times), rate, **theirs)
    frames, about = read_video(clips[name], **ours)
    assert [read_code(frame).number for frame in frames] == wanted
    told = [index / about["fps"] for index in about["frames_indices"]]
    assert told == pytest.approx([times[index] for index in wanted], abs=0.0005)  # told in milliseconds


def test_a_processor_that_counts_whole_milliseconds_tells_the_same_times(clips):
    """As vLLM's `calculate_timestamps` of Nemotron: the number times `int(1000 / fps)`."""
    _, about = read_video(clips["h264"], num_frames=3)
    told = [index * int(1000 / about["fps"]) / 1000 for index in about["frames_indices"]]
    assert told == [0.0, 4.0, 7.96]
    assert max(about["frames_indices"]) < about["total_num_frames"] == 8000
    assert about["duration"] == 8.0
