"""Reading codes that zxing-cpp itself has drawn, at several sizes and grounds."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import zxingcpp

from vidagent.agents.signals.vision.codes import read_codes


def drawn(text, kind=zxingcpp.BarcodeFormat.QRCode, scale=1.0):
    image = np.array(zxingcpp.create_barcode(text, kind).to_image(scale=4))
    return cv2.resize(image, None, fx=scale / 4, fy=scale / 4, interpolation=cv2.INTER_AREA)


def pasted(ground, image, x, y):
    ground[y : y + image.shape[0], x : x + image.shape[1]] = image[..., np.newaxis]
    return ground


@pytest.mark.parametrize("scale", [2.0, 3.0, 6.0])
def test_reads_a_qr_code_and_where_it_is(busy, jpeg, scale):
    image = drawn("ORCHID-7421", scale=scale)
    (code,) = read_codes(jpeg(pasted(busy(1), image, 40, 30)))
    assert (code.kind, code.text) == ("QR Code", "ORCHID-7421")
    side = image.shape[0]
    assert np.abs(np.array(code.box) - [40, 30, 40 + side, 30 + side]).max() <= 5 * scale


def test_reads_a_blurred_small_code_by_enlarging(busy, jpeg):
    picture = pasted(busy(2), drawn("https://example.org/a", scale=2.5), 300, 100)
    (code,) = read_codes(jpeg(cv2.GaussianBlur(picture, (0, 0), 1)))
    assert code.text == "https://example.org/a"
    assert 295 <= code.box[0] < code.box[2] <= 390


def test_reads_a_barcode(busy, jpeg):
    (code,) = read_codes(
        jpeg(pasted(busy(4), drawn("4006381333931", zxingcpp.BarcodeFormat.EAN13, 2), 100, 100))
    )
    assert (code.kind, code.text) == ("EAN-13", "4006381333931")


def test_reads_several_codes_from_top_to_bottom_each_once(busy):
    picture = pasted(busy(5), drawn("below", scale=4), 20, 220)
    picture = pasted(pasted(picture, drawn("above", scale=4), 300, 10), drawn("below", scale=4), 450, 220)
    assert [code.text for code in read_codes(picture)] == ["above", "below"]


def test_no_code_is_no_error(busy):
    assert read_codes(busy(6)) == []
    assert read_codes(np.zeros((1, 1, 3), np.uint8)) == []
