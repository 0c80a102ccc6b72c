from concurrent.futures import ThreadPoolExecutor

import pytest

from vidagent.images.shown_frame import ShownFrame
from vidagent.images.store import FrameStore

JPEG = b"\xff\xd8\xff" + bytes(range(256)) * 20


def test_a_picture_comes_back_by_its_reference(tmp_path):
    store = FrameStore(tmp_path / "frames")
    ref = store.put(JPEG)
    assert store.get(ref) == JPEG
    assert store.path(ref).read_bytes() == JPEG
    assert FrameStore(tmp_path / "frames").get(ref) == JPEG


def test_the_same_picture_is_kept_once(tmp_path):
    store = FrameStore(tmp_path)
    assert store.put(JPEG) == store.put(JPEG)
    assert len(list(tmp_path.rglob("*.jpg"))) == 1


def test_nothing_is_made_before_the_first_picture(tmp_path):
    store = FrameStore(tmp_path / "frames")
    with pytest.raises(KeyError, match="no picture"):
        store.get("0" * 64)
    assert not (tmp_path / "frames").exists()


@pytest.mark.parametrize("ref", ["", "../../etc/passwd", "A" * 64, "0" * 63])
def test_only_hashes_are_references(tmp_path, ref):
    with pytest.raises(KeyError, match="64 hex digits"):
        FrameStore(tmp_path).path(ref)


def test_a_damaged_file_is_refused_and_mended(tmp_path):
    store = FrameStore(tmp_path)
    ref = store.put(JPEG)
    store.path(ref).write_bytes(JPEG[:-1] + b"?")
    with pytest.raises(KeyError, match="damaged"):
        store.get(ref)
    assert store.put(JPEG) == ref
    assert store.get(ref) == JPEG


def test_threads_that_write_at_once_leave_whole_pictures(tmp_path):
    pictures = [JPEG + bytes([n % 5]) for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        refs = list(pool.map(FrameStore(tmp_path).put, pictures))
    assert [FrameStore(tmp_path).get(ref) for ref in refs] == pictures
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 5


def test_a_frame_is_read_from_the_folder_once(tmp_path):
    store = FrameStore(tmp_path)
    frame = ShownFrame(1.0, store.put(JPEG), (64, 48), (0, 0, 64, 48))
    loaded = store.load(frame)
    assert (loaded, loaded.jpeg) == (frame, JPEG)
    store.path(frame.ref).unlink()
    assert store.load(loaded) is loaded
    with pytest.raises(KeyError, match="no picture"):
        store.load(frame)
