"""Videos that a request carries itself, as a `data:` URL."""

from __future__ import annotations

import asyncio
import base64
import binascii
import mimetypes
import re
from collections.abc import AsyncIterator

from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.schemas import HOW_TO_UPLOAD

_HEAD = re.compile(r"data:((?:video|application)/[\w.+-]+|)(?:;[^;,]+)*;base64", re.IGNORECASE)
_MOST_SHOWN = 40


class DataUrl:
    """A video in base64, such as `data:video/mp4;base64,AAAA…`, to be stored as an upload.

    Attributes:
        name: A file name of the video's type.
    """

    def __init__(self, url: str, name: str | None = None) -> None:
        """Split the URL; `name` is the file name that the client gave, if any.

        Raises:
            ApiError: If it is not a video in base64.
        """
        head, _, self._data = url.partition(",")
        kind = _HEAD.fullmatch(head)
        if kind is None:
            began = f"{head[:_MOST_SHOWN]}…" if len(head) > _MOST_SHOWN else head
            message = f"a video's data URL begins like data:video/mp4;base64, and this one like {began!r}"
            raise ApiError(422, "invalid", f"{message}; or {HOW_TO_UPLOAD}")
        self.name = name or f"video{mimetypes.guess_extension(kind[1].lower()) or ''}"

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the video's bytes.

        Raises:
            ApiError: If they are not base64.
        """
        try:
            yield await asyncio.to_thread(base64.b64decode, self._data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ApiError(422, "invalid", f"the data URL is not valid base64: {error}") from error
