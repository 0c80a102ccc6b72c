import json

from vidagent.images.shown_frame import Still


def test_a_still_survives_json():
    still = Still(12.48, "ab" * 32, (640, 360), (0, 0, 1280, 720))
    assert Still.from_dict(json.loads(json.dumps(still.to_dict()))) == still
