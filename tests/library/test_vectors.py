"""The vectors of a library: those nearest to a query, also among many, and as videos come and go."""

from __future__ import annotations

import numpy as np
import pytest

from vidagent.library import vectors as module
from vidagent.library.catalog import Catalog, Due, file_stamp
from vidagent.library.contents import Contents, Depth
from vidagent.library.finding import Finder, KeptSigns
from vidagent.library.vectors import load_signs, measure_means, nearest
from vidagent.video.index.embeddings import Embedded, pieces

DIMS, OF_VIDEO, VIDEOS = 128, 300, 10
MEAN = 3 * np.random.default_rng(1).standard_normal(DIMS)
"""Far from zero, as that of embeddings of pictures is."""


class Texts:
    """An embedding server that turns each text into one vector."""

    model = "m"

    def __init__(self, vector):
        self._vector = vector.astype(np.float32)

    def texts(self, texts):
        return np.stack([self._vector for _ in texts])

    pictures = texts


def unit(found):
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float16)


@pytest.fixture
def filled(tmp_path):
    """Return a catalog of ten videos with 300 vectors each, and all vectors in order."""
    rng = np.random.default_rng(2)
    every = unit(MEAN + rng.standard_normal((VIDEOS * OF_VIDEO, DIMS)))
    with Catalog(tmp_path / "library") as catalog:
        for number in range(VIDEOS):
            path = tmp_path / f"{number}.mp4"
            path.write_bytes(b"x")
            stamp = file_stamp(path)
            row = (number + 1, str(path).encode(), stamp)
            catalog.database.change("INSERT INTO videos (id, path, stamp, beside) VALUES (?, ?, ?, '')", *row)
            times = np.arange(OF_VIDEO, dtype=np.float64)
            part = every[number * OF_VIDEO : (number + 1) * OF_VIDEO]
            contents = Contents(str(number), 1.0, model="m", pictures=Embedded(times, times + 1, part))
            catalog.store(Due(number + 1, path, stamp), contents, Depth())
        yield catalog, every


def found_of(catalog, query, most=10):
    signs = load_signs(catalog.database, "picture", "m", DIMS)
    near = nearest(catalog.database, signs, query[None].astype(np.float32), most)
    return [(one.video - 1) * OF_VIDEO + int(one.start_s) for one in near], near


def test_the_nearest_are_found_among_all(filled):
    catalog, every = filled
    measure_means(catalog.database)
    rng, right = np.random.default_rng(3), 0
    for _ in range(20):
        query = unit(every[[rng.integers(len(every))]] + 0.01 * rng.standard_normal((1, DIMS)))[0].astype(
            np.float32
        )
        truth = np.argsort(-(every.astype(np.float32) @ query))[:5]
        places, near = found_of(catalog, query, 5)
        assert places[0] == truth[0]
        assert [one.cosine for one in near] == sorted((one.cosine for one in near), reverse=True)
        assert near[0].share == pytest.approx(1.0)
        right += len(set(places) & set(truth.tolist()))
    assert right >= 95


def test_the_mean_is_measured_anew_as_the_library_grows(filled):
    catalog, every = filled
    row = "SELECT vectors, mean FROM means WHERE kind = 'picture'"
    assert catalog.database.row(row)["vectors"] == OF_VIDEO
    measure_means(catalog.database)
    after = catalog.database.row(row)
    assert after["vectors"] == len(every)
    mean = every.astype(np.float32).mean(axis=0)
    assert np.allclose(np.frombuffer(after["mean"], np.float32), mean, atol=1e-3)
    signs = load_signs(catalog.database, "picture", "m", DIMS)
    share = np.unpackbits(signs.words.view(np.uint8), axis=1).mean()
    assert share == pytest.approx(0.5, abs=0.03), "half of the components lie above their mean"


def test_a_video_that_is_removed_meanwhile_is_left_out(filled):
    catalog, every = filled
    signs = load_signs(catalog.database, "picture", "m", DIMS)
    catalog.remove_below([catalog.listed()[0].path], gone=False)
    near = nearest(catalog.database, signs, every[[5]].astype(np.float32), 10)
    assert near
    assert all(one.video != 1 for one in near)
    assert len(load_signs(catalog.database, "picture", "m", DIMS).row) == (VIDEOS - 1) * OF_VIDEO


def test_a_video_that_is_read_again_with_fewer_pictures_is_searched_as_it_is_now(filled):
    catalog, every = filled
    embedder = Texts(every[-1])
    kept: KeptSigns = {}
    before = Finder(catalog, embedder, kept).find("x", 1)
    last = catalog.listed()[-1].path
    assert [(hit.video, hit.time_s) for hit in before.hits] == [(last, OF_VIDEO - 1)]
    old = load_signs(catalog.database, "picture", "m", DIMS)
    rows = -(-OF_VIDEO // module._OF_ROW)
    times = np.arange((rows - 1) * module._OF_ROW + 1, dtype=np.float64)  # as many rows, with the same ids
    again = Embedded(times, times + 1, every[: -len(times) - 1 : -1])
    catalog.store(
        Due(VIDEOS, last, file_stamp(last)),
        Contents(str(VIDEOS - 1), 1.0, model="m", pictures=again),
        Depth(),
    )
    after = Finder(catalog, embedder, kept).find("x", 1)
    assert [(hit.video, hit.time_s) for hit in after.hits] == [(last, 0.0)]
    assert len(kept["picture"][1].words) == (VIDEOS - 1) * OF_VIDEO + len(times)
    near = nearest(catalog.database, old, every[[-1]].astype(np.float32), 10)
    assert near
    assert all(one.start_s < len(times) for one in near if one.video == VIDEOS)


def test_vectors_of_another_length_or_model_are_not_compared(filled):
    catalog, _ = filled
    assert load_signs(catalog.database, "picture", "m", 64) is None
    assert load_signs(catalog.database, "picture", "other", DIMS) is None
    assert load_signs(catalog.database, "line", "m", DIMS) is None
    assert VIDEOS * OF_VIDEO > module._CANDIDATES, "or nothing is left to the signs"


def test_pieces_cover_a_video_shot_by_shot():
    assert pieces(8.0, (3.0,))[:3] == [(0.0, 1.5), (1.5, 3.0), (3.0, pytest.approx(4.667, abs=0.001))]
    assert pieces(2.4, ()) == [(0.0, 2.4)]
    found = pieces(100.0, (10.0, 10.2, 55.5))
    assert [start for start, _ in found[1:]] == [end for _, end in found[:-1]]
    assert max(end - start for start, end in found) <= 2.5
    assert (10.0, 10.2) in found


def test_neighbours_that_look_alike_are_one_stretch():
    kinds = unit(np.eye(4))[[0, 0, 0, 1, 1, 2]]
    times = np.arange(6, dtype=np.float64)
    joined = Embedded(2 * times, 2 * times + 2, kinds).joined()
    assert joined.start_s.tolist() == [0.0, 6.0, 10.0]
    assert joined.end_s.tolist() == [6.0, 10.0, 12.0]
    assert len(Embedded().joined()) == 0
