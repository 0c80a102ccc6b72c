import json

import numpy as np
import pytest

from vidagent.video.cache import array_store

ARRAYS = {
    "times_s": np.linspace(0, 60, 1500),
    "sizes": np.arange(1500, dtype=np.int32),
    "keyframes": np.arange(1500) % 250 == 0,
    "grid": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    "none": np.empty((0, 3), np.float32),
    "one": np.float64(2.5) * np.ones(()),
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "deep" / "packets.arrays"
    array_store.write(path, ARRAYS)
    return path


def test_arrays_come_back_equal_and_read_only(path):
    back = array_store.read(path)
    assert list(back) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert back[name].dtype == array.dtype
        assert back[name].shape == array.shape
        assert np.array_equal(back[name], array)
    with pytest.raises(ValueError, match="read-only"):
        back["sizes"][0] = 1


def test_arrays_are_memory_maps(path):
    assert isinstance(array_store.read(path)["times_s"], np.memmap)


def test_strided_and_big_endian_arrays_come_back_equal(tmp_path):
    arrays = {
        "every_other": np.arange(20)[::2],
        "turned": np.arange(6).reshape(2, 3).T,
        "big": np.arange(4, dtype=">i4"),
    }
    array_store.write(tmp_path / "a", arrays)
    back = array_store.read(tmp_path / "a")
    assert all(np.array_equal(back[name], array) for name, array in arrays.items())


def test_objects_and_texts_are_refused_and_leave_nothing(tmp_path):
    for array in (np.array([{}], dtype=object), np.array(["a"])):
        with pytest.raises(ValueError, match="only booleans and numbers"):
            array_store.write(tmp_path / "a", {"odd": array})
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_replaces_the_old_while_that_is_mapped(path):
    old = array_store.read(path)
    array_store.write(path, {"sizes": np.zeros(3, np.int32)})
    assert np.array_equal(old["sizes"], ARRAYS["sizes"])
    assert list(array_store.read(path)) == ["sizes"]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_every_cut_is_found(path):
    whole = path.read_bytes()
    for length in [0, 5, len(array_store.MAGIC) + 3, 40, 300, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(array_store.ArrayFileError, match="no whole file of arrays"):
            array_store.read(path)


def test_every_flipped_byte_is_found_or_does_no_harm(path):
    whole = path.read_bytes()
    for at in range(0, len(whole), 97):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            back = array_store.read(path)
        except array_store.ArrayFileError:
            continue
        for name in set(back) & set(ARRAYS):
            assert np.array_equal(back[name], ARRAYS[name])


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "a", "dtype": "|O", "shape": [1], "at": 0, "crc": 0},
        {"name": "a", "dtype": "<f8", "shape": [1 << 60], "at": 0, "crc": 0},
        {"name": "a", "dtype": "<f8", "shape": [-1], "at": 0, "crc": 0},
        {"name": "a", "dtype": "<f8", "shape": [1], "at": -64, "crc": 0},
        {"name": "a", "dtype": "nonsense", "shape": [1], "at": 0, "crc": 0},
        {"name": "a"},
        "text",
    ],
)
def test_crafted_headers_are_refused(tmp_path, entry):
    text = json.dumps([entry]).encode()
    (tmp_path / "a").write_bytes(array_store.MAGIC + b"%08d" % len(text) + text + bytes(300))
    with pytest.raises(array_store.ArrayFileError):
        array_store.read(tmp_path / "a")


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        array_store.read(tmp_path / "none")
