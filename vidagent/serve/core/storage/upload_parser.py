"""A multipart form taken apart as it comes: the file in it is never held whole, nor written twice."""

from __future__ import annotations

from collections.abc import AsyncIterator

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from vidagent.serve.core.errors import ApiError

_FIELD = "file"
_MOST_HEADER = 8192


class UploadForm:
    """The body of an upload: one part named `file`, with a file name; other parts are passed over.

    Args:
        content_type: The request's `Content-Type`.
        body: The body, piece by piece.

    Attributes:
        name: The file's name as the client gave it, once its first bytes have come.

    Raises:
        ApiError: If this is no multipart form.
    """

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        """Look at the boundary; nothing is read yet."""
        kind, parameters = parse_options_header(content_type)
        boundary = parameters.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise ApiError(
                415, "wrong_media_type", "an upload is multipart/form-data, with the video as `file`"
            )
        self.name: str | None = None
        self._body = body
        self._taken: list[bytes] = []
        self._header, self._value = b"", b""
        self._in_file = self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._add_name,
                "on_header_value": self._add_value,
                "on_header_end": self._end_header,
                "on_part_data": self._take,
                "on_end": self._end,
            },
        )

    async def file(self) -> AsyncIterator[bytes]:
        """Yield the file's bytes as they come.

        Raises:
            ApiError: If the form is damaged or cut off, or there is not exactly one file in it.
        """
        async for piece in self._body:
            try:
                self._parser.write(piece)
            except FormParserError as error:
                raise ApiError(422, "invalid", "the multipart form is damaged") from error
            taken, self._taken = self._taken, []
            for part in taken:
                yield part
        if not self._ended:
            raise ApiError(422, "invalid", "the multipart form is cut off")
        if self.name is None:
            raise ApiError(422, "invalid", f"the form has no file named `{_FIELD}`")

    def _begin(self) -> None:
        self._header, self._value, self._in_file = b"", b"", False

    def _add_name(self, data: bytes, start: int, end: int) -> None:
        self._header = self._grown(self._header, data[start:end])

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value = self._grown(self._value, data[start:end])

    def _grown(self, text: bytes, more: bytes) -> bytes:
        if len(text) + len(more) > _MOST_HEADER:
            raise ApiError(422, "invalid", "a part of the form has too long a header")
        return text + more

    def _end_header(self) -> None:
        header, value = self._header.lower(), self._value
        self._header = self._value = b""
        if header != b"content-disposition":
            return
        _, parameters = parse_options_header(value)
        if parameters.get(b"name") != _FIELD.encode() or b"filename" not in parameters:
            return
        if self.name is not None:
            raise ApiError(422, "invalid", f"the form has more than one `{_FIELD}`")
        self._in_file = True
        self.name = parameters[b"filename"].decode("utf-8", "replace")

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._taken.append(data[start:end])

    def _end(self) -> None:
        self._ended = True
