"""PNG: every pixel comes back."""

from __future__ import annotations

import numpy as np
import pytest

from vidagent.images import jpeg, png


def test_every_pixel_comes_back():
    rgb = np.random.default_rng(1).integers(0, 256, (31, 47, 3), np.uint8)
    data = png.encode(rgb)
    assert data.startswith(b"\x89PNG\r\n")
    assert np.array_equal(jpeg.decode(data), rgb)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(ValueError, match=r"uint8 of shape \(H, W, 3\)"):
        png.encode(np.zeros(shape, np.uint8))
