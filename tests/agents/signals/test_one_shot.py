"""A video without a cut is one shot, and a frame of it stands for that."""

from __future__ import annotations

import threading

import numpy as np

from vidagent.agents.signals.language.wording import claim_cut, claim_no_cut
from vidagent.agents.signals.vision.observer import Looker, Picture
from vidagent.video.texts.reader import TextReader


def judge(claim: str, shades: list[int]) -> str:
    """Judge a claim over even pictures 0.04 s apart."""
    pictures = [
        Picture(round(0.04 * place, 3), np.full((90, 160, 3), shade, np.uint8))
        for place, shade in enumerate(shades)
    ]
    return Looker(TextReader(), threading.Event()).judge(claim, pictures).verdict


def test_a_denial_is_supported_exactly_where_the_claim_is_not():
    still, cut = [40] * 5, [40, 40, 200, 200, 200]
    assert judge(claim_cut(0.08), cut) == "supported"
    assert judge(claim_no_cut(0.08), cut) == "unsupported"
    assert judge(claim_cut(0.08), still) == "unsupported"
    assert judge(claim_no_cut(0.08), still) == "supported"
