"""Store of JPEG pictures in a folder, named by the hash of their bytes."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import tempfile
from pathlib import Path

from vidagent.images.shown_frame import ShownFrame
from vidagent.private_folder import make_private

REF_FORM = re.compile(r"[0-9a-f]{64}")


class FrameStore:
    """A folder of pictures; the reference of a picture is the sha256 of its bytes.

    Several threads and processes may write at once: a picture appears whole or not at all.
    """

    def __init__(self, folder: Path | str) -> None:
        """Name the folder; it is created with the first picture."""
        self.folder = Path(folder)

    def put(self, jpeg: bytes) -> str:
        """Store the picture and return its reference."""
        ref = hashlib.sha256(jpeg).hexdigest()
        path = self.path(ref)
        if not (path.is_file() and path.read_bytes() == jpeg):
            _write(path, jpeg)
        return ref

    def get(self, ref: str) -> bytes:
        """Return the picture.

        Raises:
            KeyError: If it is not in the store, or its file is damaged.
        """
        try:
            jpeg = self.path(ref).read_bytes()
        except FileNotFoundError:
            raise KeyError(f"no picture {ref} in {self.folder}") from None
        if hashlib.sha256(jpeg).hexdigest() != ref:
            raise KeyError(f"the file of picture {ref} in {self.folder} is damaged")
        return jpeg

    def load(self, frame: ShownFrame) -> ShownFrame:
        """Return the frame with its JPEG, read from the folder unless the frame holds it already.

        Raises:
            KeyError: As `get` does.
        """
        return frame if frame.jpeg else dataclasses.replace(frame, jpeg=self.get(frame.ref))

    def path(self, ref: str) -> Path:
        """Return the path of a picture, whether or not it is there.

        Raises:
            KeyError: If this is not a reference; only 64 hex digits are, so no path escapes the folder.
        """
        if not REF_FORM.fullmatch(ref):
            raise KeyError(f"a picture reference is 64 hex digits, got {ref!r}")
        return self.folder / ref[:2] / f"{ref}.jpg"


def _write(path: Path, data: bytes) -> None:
    make_private(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
