import hashlib
import json

import numpy as np
import pytest
from pydantic import TypeAdapter

from vidagent.images import jpeg
from vidagent.images.shown_frame import ShownFrame

JPEG = jpeg.encode(np.zeros((48, 64, 3), np.uint8))


@pytest.mark.parametrize("cropped", [False, True])
def test_a_frame_survives_json_without_its_pixels(cropped):
    frame = ShownFrame(12.48, "ab" * 32, (640, 360), (0, 0, 1280, 720), cropped, JPEG)
    adapter = TypeAdapter(ShownFrame)
    written = json.loads(json.dumps(adapter.dump_python(frame, mode="json")))
    again = adapter.validate_python(written)
    assert again == frame
    assert again.jpeg == b""
    assert "jpeg" not in written


def test_a_frame_of_an_older_ledger_is_whole():
    written = {"time_s": 1, "ref": "ab" * 32, "size_wh": [64, 48], "box_px": [0, 0, 64, 48]}
    assert TypeAdapter(ShownFrame).validate_python(written).cropped is False


def test_a_frame_that_is_in_no_store():
    frame = ShownFrame.of(1.0, JPEG)
    assert frame == ShownFrame(1.0, hashlib.sha256(JPEG).hexdigest(), (64, 48), (0, 0, 64, 48))
    assert frame.jpeg == JPEG
    crop = ShownFrame.of(1.0, JPEG, (10, 0, 74, 48))
    assert (crop.box_px, crop.cropped) == ((10, 0, 74, 48), True)
