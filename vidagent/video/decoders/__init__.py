"""Decoders behind one interface; each library is imported only when its decoder is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidagent.errors import UsageError
from vidagent.video.decoders.base import DECODERS, Decoder, DecoderName, Snap

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["DECODERS", "Decoder", "DecoderName", "Snap", "open_decoder"]


def open_decoder(
    name: str,
    path: Path,
    *,
    max_pixels: int | None = None,
    beat: Callable[[], None] = lambda: None,
    stream: int | None = None,
) -> Decoder:
    """Open a file with the decoder of that name.

    Args:
        name: One of `DECODERS`.
        path: Absolute path of the file.
        max_pixels: Limit on the pixels of one picture, or None.
        beat: Called as a sign of progress.
        stream: Number of the video stream, by default the one that a player shows.

    Raises:
        UsageError: If there is no such decoder, or its library is not installed.
        VideoError: If that library cannot decode the file, or not correctly.
    """
    if name == "pyav":
        from vidagent.video.decoders.pyav import PyavDecoder

        return PyavDecoder(path, max_pixels=max_pixels, beat=beat, stream=stream)
    if name == "decord":
        from vidagent.video.decoders.decord import DecordDecoder

        return DecordDecoder(path, max_pixels=max_pixels, beat=beat, stream=stream)
    if name == "torchcodec":
        from vidagent.video.decoders.torchcodec import TorchcodecDecoder

        return TorchcodecDecoder(path, max_pixels=max_pixels, beat=beat, stream=stream)
    raise UsageError(f"decoder must be one of {', '.join(DECODERS)}; got {name!r}")
