from fractions import Fraction

import numpy as np
import pytest

from vidagent.errors import UsageError
from vidagent.video.sampling import sample_indices

NTSC = Fraction(30000, 1001)


def _model_card(total_frames, video_fps, fps=0, nframe=0, nframe_max=-1):
    """The rule of the model card, step by step, as the truth to compare with."""
    total_duration = total_frames / max(1e-6, video_fps)
    desired = max(1, int(total_duration * fps if fps > 0 else nframe if nframe and nframe > 0 else 8))
    if nframe_max > 0 and desired > nframe_max:
        desired = nframe_max
    if desired >= total_frames:
        indices = list(range(total_frames))
    elif desired == 1:
        indices = [0]
    else:
        indices = list(np.unique(np.round(np.linspace(0, total_frames - 1, desired)).astype(int)))
    stamps = [float(index) / video_fps for index in indices]
    if len(stamps) > 1:
        duration = stamps[-1] - stamps[0]
        rate = (len(indices) - 1) / duration if duration > 0 else 1.0
    else:
        duration = rate = None
    return {
        "total_num_frames": len(indices),
        "fps": rate,
        "duration": duration,
        "frames_indices": indices,
        "video_backend": "opencv_dynamic",
    }


def test_every_choice_is_that_of_the_model_card():
    rng = np.random.default_rng(5)
    rates = [Fraction(25), Fraction(30), NTSC, Fraction(24000, 1001), Fraction(1, 2), Fraction(12345, 677)]
    for _ in range(3000):
        total, rate = int(rng.integers(1, 3000)), rates[rng.integers(len(rates))]
        cap = int(rng.integers(1, 200)) if rng.random() < 0.5 else None
        asked = [
            {"fps": float(rng.choice([0.1, 0.5, 1, 2, 8, 29.97, 60]))},
            {"num_frames": int(rng.integers(1, 300))},
            {},
        ]
        choice = asked[rng.integers(3)]
        truth = _model_card(
            total,
            float(rate),
            fps=choice.get("fps", 0),
            nframe=choice.get("num_frames", 0),
            nframe_max=cap or -1,
        )
        assert sample_indices(total, rate, max_frames=cap, **choice).metadata() == truth


EXAMPLES = (
    {"fps": 8, "max_frames": 128},
    {"fps": 2},
    {"num_frames": 16},
)
"""The model card's: `8fps_max128frames`, `2fps`, `16frames`."""


@pytest.mark.parametrize("rate", [Fraction(25), NTSC], ids=["25", "29.97"])
@pytest.mark.parametrize("asked", EXAMPLES, ids=str)
def test_the_examples_of_the_model_card_give_its_frames(asked, rate):
    truth = _model_card(
        1500,
        float(rate),
        fps=asked.get("fps", 0),
        nframe=asked.get("num_frames", 0),
        nframe_max=asked.get("max_frames", -1),
    )
    made = sample_indices(1500, rate, **asked)
    assert list(made.indices) == truth["frames_indices"]
    assert made.metadata() == truth
    if "num_frames" in asked:
        assert made.indices[::5] == (0, 500, 999, 1499)


def test_plain_choices_have_no_note_and_plain_integers():
    sampling = sample_indices(100, Fraction(25), num_frames=3)
    assert sampling.indices == (0, 50, 99)
    assert all(type(index) is int for index in sampling.indices)
    assert sampling.duration_s == pytest.approx(3.96)
    assert sampling.fps == pytest.approx(2 / 3.96)
    assert sampling.note is None


@pytest.mark.parametrize(("which", "index"), [("first", 0), ("middle", 50), ("last", 100)])
def test_single_frames(which, index):
    sampling = sample_indices(101, Fraction(25), splice_single_frame=which)
    assert sampling.indices == (index,)
    assert (sampling.fps, sampling.duration_s, sampling.note) == (None, None, None)
    assert sample_indices(1, Fraction(25), splice_single_frame=which).indices == (0,)


def test_a_single_frame_wins_and_says_so():
    sampling = sample_indices(101, Fraction(25), num_frames=8, splice_single_frame="last")
    assert sampling.indices == (100,)
    assert "only the last frame" in sampling.note


def test_more_frames_than_there_are_is_said_or_refused():
    sampling = sample_indices(10, Fraction(25), num_frames=64)
    assert sampling.indices == tuple(range(10))
    assert sampling.note == "num_frames 64 asked for, but the video has 10 frames at 25 fps"
    with pytest.raises(UsageError, match="num_frames 64 is more than there is: the video has 10 frames"):
        sample_indices(10, Fraction(25), num_frames=64, strict=True)


def test_a_rate_above_the_videos_is_said_or_refused():
    assert "fps 60 asked for" in sample_indices(10, Fraction(25), fps=60).note
    with pytest.raises(UsageError, match="fps 60 is more than there is"):
        sample_indices(10, Fraction(25), fps=60, strict=True)
    assert sample_indices(10, NTSC, fps=29, strict=True).note is None


def test_the_cap_is_said():
    assert sample_indices(1500, Fraction(25), fps=8, max_frames=128).note == (
        "fps 8 would take 480 frames; 128 are taken, the most allowed here"
    )


def test_the_default_number_does_not_complain_of_a_short_video():
    assert sample_indices(5, Fraction(25), strict=True).note is None


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"fps": 2, "num_frames": 8}, "either fps or num_frames, not both"),
        ({"fps": 0}, "fps must be more than 0, got 0"),
        ({"fps": float("nan")}, "fps must be more than 0, got nan"),
        ({"fps": float("inf")}, "fps must be more than 0, got inf"),
        ({"num_frames": -1}, "num_frames must be more than 0, got -1"),
        ({"max_frames": 0}, "max_frames must be more than 0, got 0"),
        ({"splice_single_frame": "second"}, "one of first, middle, last; got 'second'"),
    ],
)
def test_what_cannot_be_is_refused(asked, message):
    with pytest.raises(UsageError, match=message):
        sample_indices(100, Fraction(25), **asked)


def test_a_video_without_frames_is_refused():
    with pytest.raises(UsageError, match="total_frames must be more than 0, got 0"):
        sample_indices(0, Fraction(25))
