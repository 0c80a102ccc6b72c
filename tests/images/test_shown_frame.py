import json

from vidagent.images.shown_frame import ShownFrame


def test_a_still_survives_json():
    still = ShownFrame(12.48, "ab" * 32, (640, 360), (0, 0, 1280, 720))
    assert ShownFrame.from_dict(json.loads(json.dumps(still.to_dict()))) == still
