"""Pictures on their way to a model: JPEG, crops and grids, against the bare calls of OpenCV that they stand on."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.needle_footage import scene
from benchmarks.speed.turns import Row, Setting, Table, in_turn, wall_s
from vidagent.images import jpeg
from vidagent.images.grid import CELL_PX, CELLS, make_grids
from vidagent.images.resize import enlarge, fit
from vidagent.images.shown_frame import ShownFrame
from vidagent.images.store import FrameStore
from vidagent.images.tiles import crop

_TIMES = 20
_SOURCE_WH, _SENT_WH = (1920, 1080), (768, 432)
_CROP_PX = (480, 270, 960, 540)
_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 90]


def measure(setting: Setting) -> list[Table]:
    """Return the milliseconds of each kind of picture."""
    source = cv2.resize(next(scene(1).pictures()), _SOURCE_WH, interpolation=cv2.INTER_CUBIC)
    sent = fit(source, _SENT_WH[0])
    store = FrameStore(setting.folder / "images-frames")
    whole = (0, 0, *_SOURCE_WH)
    data = jpeg.encode(sent)
    frames = [ShownFrame(float(n), store.put(data), _SENT_WH, whole, jpeg=data) for n in range(CELLS)]
    cell_wh = (CELL_PX * 16 // 9, CELL_PX)
    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "JPEG of 768x432": (lambda: jpeg.encode(sent), lambda: cv2.imencode(".jpg", sent, _QUALITY)),
        "JPEG of 1920x1080": (lambda: jpeg.encode(source), lambda: cv2.imencode(".jpg", source, _QUALITY)),
        "crop enlarged to 1024 pixels": (
            lambda: jpeg.encode(enlarge(fit(crop(source, _CROP_PX), 1024), 1024)),
            lambda: cv2.imencode(".jpg", cv2.resize(source[270:540, 480:960], (1024, 576)), _QUALITY),
        ),
        f"grid of {CELLS} frames, and stored": (
            lambda: make_grids(frames, store),
            lambda: cv2.imencode(".jpg", np.tile(cv2.resize(sent, cell_wh), (4, 2, 1)), _QUALITY),
        ),
        "stored": (lambda: store.put(data), lambda: None),
    }
    ways = {(name, ours): _repeated(pair[not ours]) for name, pair in pairs.items() for ours in (True, False)}
    values = in_turn({f"{name}|{ours}": way for (name, ours), way in ways.items()}, setting.rounds)
    rows = [
        Row(name, values[f"{name}|True"], values[f"{name}|False"] if name != "stored" else ())
        for name in pairs
    ]
    return [Table("pictures", "ms", rows, base="bare OpenCV")]


def _repeated(work: Callable[[], object]) -> Callable[[], float]:
    """Return a way that does something several times and gives the milliseconds of one."""

    def several() -> None:
        for _ in range(_TIMES):
            work()

    return lambda: 1000 * wall_s(several) / _TIMES
