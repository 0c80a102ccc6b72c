"""Streaming parser of multipart uploads: the file is never held in memory as a whole, nor written twice."""

from __future__ import annotations

from collections.abc import AsyncIterator

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from vidagent.serve.core.errors import ApiError

_FIELD = "file"
_MAX_HEADERS, _MAX_HEADER_BYTES = 64, 8192
_MAX_PARTS = 16
FORM_BYTES = 64_000
"""Size of a form beside its file."""


class UploadForm:
    """The body of an upload: one part named `file` with a file name; other parts are ignored.

    Attributes:
        name: File name given by the client, once the file's first bytes have arrived.
    """

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        """Find the boundary; nothing is read yet."""
        kind, parameters = parse_options_header(content_type)
        boundary = parameters.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise ApiError(
                415, "wrong_media_type", "an upload is multipart/form-data, with the video as `file`"
            )
        self.name: str | None = None
        self._body = body
        self._chunks: list[bytes] = []
        self._header = self._value = b""
        self._in_file = self._ended = False
        self._parts = 0
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._extend_header,
                "on_header_value": self._extend_value,
                "on_header_end": self._end_header,
                "on_part_data": self._add_data,
                "on_end": self._end,
            },
            max_header_count=_MAX_HEADERS,
            max_header_size=_MAX_HEADER_BYTES,
        )

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the file's bytes as they arrive."""
        beside = 0
        async for data in self._body:
            try:
                self._parser.write(data)
            except FormParserError as error:
                raise _invalid("the multipart form is malformed") from error
            chunks, self._chunks = self._chunks, []
            beside += len(data) - sum(map(len, chunks))
            if beside > FORM_BYTES:
                raise _invalid(f"the form has more than {FORM_BYTES:,} bytes beside its `{_FIELD}`")
            for chunk in chunks:
                yield chunk
        if not self._ended:
            raise _invalid("the multipart form is truncated")
        if self.name is None:
            raise _invalid(f"the form has no file named `{_FIELD}`")

    def _begin_part(self) -> None:
        self._in_file = False
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise _invalid(f"the form has more than {_MAX_PARTS} parts")

    def _extend_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _extend_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        header, value = self._header.lower(), self._value
        self._header = self._value = b""
        if header != b"content-disposition":
            return
        _, parameters = parse_options_header(value)
        if parameters.get(b"name") != _FIELD.encode() or b"filename" not in parameters:
            return
        if self.name is not None:
            raise _invalid(f"the form has more than one `{_FIELD}`")
        self._in_file = True
        self.name = parameters[b"filename"].decode("utf-8", "replace")

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._chunks.append(data[start:end])

    def _end(self) -> None:
        self._ended = True


def _invalid(message: str) -> ApiError:
    return ApiError(422, "invalid", message, {"Connection": "close"})
