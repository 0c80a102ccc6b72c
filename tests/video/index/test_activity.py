import numpy as np
import pytest

from tests.video.drawn import Drawn, draw
from vidagent.types import Span
from vidagent.video.index.activity import MOST_BINS, Activity, measure
from vidagent.video.packets import Packets
from vidagent.video.video import Video


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Drawn:
    """Return a drawn clip with what is known of it."""
    return draw(tmp_path_factory.mktemp("drawn"))


def packets(times_s, sizes, keyframes=None):
    keys = np.zeros(len(times_s), bool) if keyframes is None else np.asarray(keyframes)
    return Packets(np.asarray(times_s, float), np.asarray(sizes, np.int32), keys, True)


def activity(*bytes_per_s, bin_s=1.0):
    return Activity(bin_s, np.array(bytes_per_s, np.float32))


def test_bytes_are_added_up_by_the_second_without_keyframes():
    measured = measure(
        packets([0, 0.5, 1.0, 1.96, 2.9], [900, 10, 20, 30, 40], [True, False, False, False, False]), 3.0
    )
    assert measured.bin_s == 1.0
    assert measured.bytes_per_s.tolist() == [10, 50, 40]


@pytest.mark.parametrize(
    ("duration_s", "bins", "bin_s"), [(0.5, 1, 1.0), (2.9, 2, 1.0), (36000, MOST_BINS, 10.0)]
)
def test_bins_are_a_second_or_longer(duration_s, bins, bin_s):
    measured = measure(packets([0.1], [100]), duration_s)
    assert (len(measured.bytes_per_s), measured.bin_s) == (bins, bin_s)
    first_s = bin_s if bins > 1 else duration_s
    assert float(measured.bytes_per_s.sum()) * first_s == pytest.approx(100)


def test_the_rest_of_a_second_at_the_end_is_no_still_stretch():
    steady = measure(packets(np.arange(254) / 25, np.full(254, 100)), 10.16)
    assert steady.bytes_per_s.tolist() == pytest.approx([2500] * 10, rel=0.01)
    assert steady.stillest() is None


def test_times_outside_the_video_fall_into_its_ends():
    measured = measure(packets([-0.04, 3.7], [5, 7]), 3.0)
    assert measured.bytes_per_s.tolist() == [5, 0, 7]


def test_nothing_is_read_from_no_packets():
    empty = measure(packets([], []), 3.0)
    assert empty.busiest(3) == []
    assert empty.stillest() == Span(0.0, 3.0)


def test_the_busiest_seconds_are_told_apart():
    busy = activity(1, 9, 8, 1, 1, 7, 0)
    assert busy.busiest(2) == [Span(1.0, 2.0), Span(5.0, 6.0)]
    assert busy.busiest(9) == [Span(1.0, 2.0), Span(5.0, 6.0), Span(3.0, 4.0)]
    assert activity(0, 0).busiest(3) == []


def test_the_longest_still_stretch():
    assert activity(100, 3, 100, 1, 2, 0, 100, 100, 100).stillest() == Span(3.0, 6.0)
    assert activity(100, 90, 80).stillest() is None
    assert activity(100, 90, 1, 80, bin_s=5.0).stillest() == Span(10.0, 15.0)


def test_busy_and_still_parts_of_a_real_file_are_found_without_decoding(drawn):
    with Video.open(drawn.path) as video:
        before = video.frames_decoded
        measured = measure(video.packets(), video.info.duration_s)
        assert video.frames_decoded == before
    (busiest, *_) = measured.busiest(1)
    assert drawn.busy.start_s <= busiest.start_s < busiest.end_s <= drawn.busy.end_s
    still = measured.stillest()
    assert still is not None
    overlap = min(still.end_s, drawn.still.end_s) - max(still.start_s, drawn.still.start_s)
    assert overlap >= 0.8 * drawn.still.length_s
