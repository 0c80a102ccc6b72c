"""Uploaded videos, named by the hash of their content and visible to their owner only."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from vidagent.errors import VideoError
from vidagent.serve.core.caller import Client
from vidagent.serve.core.concurrency import ConcurrencyLimits
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.schemas import FileBody, FileList, FileVideo
from vidagent.serve.core.storage.database import Store
from vidagent.serve.core.storage.disk import Disk
from vidagent.serve.core.worker.upload_probe import UploadProbe
from vidagent.types import VideoInfo

PREFIX = "file-"
_PART = ".part-"
_CHUNK_BYTES = 1 << 20
_MAX_NAME = 200
_AT_ONCE, _AT_ONCE_EACH = 64, 8
"""Uploads at once, in total and per owner."""


class Upload(Protocol):
    """A video that a client sends."""

    @property
    def name(self) -> str | None:
        """The file name that the client gave, once the first bytes are there."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes as they arrive."""


class UploadedFiles:
    """One folder per owner and one file per video, with a database row of its properties.

    Methods raise `ApiError` for a file that the client does not have.
    """

    def __init__(self, folder: Path, store: Store, disk: Disk, quota_bytes: int) -> None:
        """Delete partial files left by interrupted uploads of an earlier process."""
        self._folder = folder
        self._store = store
        self._disk, self._quota = disk, quota_bytes
        self._coming: Counter[str] = Counter()
        self._uploads = ConcurrencyLimits(_AT_ONCE, _AT_ONCE_EACH, "uploads")
        self._probe = UploadProbe()
        for part in folder.glob(f"*/{_PART}*"):
            part.unlink(missing_ok=True)

    async def add(self, client: Client, upload: Upload, min_bytes: int = 0) -> FileBody:
        """Store an uploaded video.

        Args:
            client: The owner.
            upload: The video.
            min_bytes: Lower bound of the video's size, from the announced length.

        Raises:
            ApiError: If the upload is malformed, the quota or the disk is full, or too many uploads are coming.
            VideoError: If it is not a video.
        """
        with self._uploads.slot(client), self._counting_bytes(client) as check:
            self._check_quota(client, min_bytes)
            self._disk.check(min_bytes)
            folder = self._folder / client.owner
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile(dir=folder, prefix=_PART, delete=False) as file:
                part = Path(file.name)
                try:
                    with self._disk.writing():
                        id_, size = await _write(upload.chunks(), file, check)
                    name = _safe_name(upload.name or "")
                    info = await self._facts(client, part, name)
                    self._check_quota(client, size, id_)
                    self._keep(client, part, id_, size, name, info)
                finally:
                    part.unlink(missing_ok=True)
        return self.get(client, id_)

    async def _facts(self, client: Client, part: Path, name: str) -> VideoInfo:
        """Return the properties of a video; an error has its name in place of the path."""
        try:
            return await self._probe.probe(client, part)
        except VideoError as error:
            raise VideoError(str(error).replace(str(part), name)) from error

    def _keep(self, client: Client, part: Path, id_: str, size: int, name: str, info: VideoInfo) -> None:
        video = FileVideo.model_validate(info.to_dict()).model_dump_json()
        with self._store.transaction():
            self._store.change(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
                client.owner, id_, name, size, int(time.time()), video,
            )  # fmt: skip
            part.replace(part.with_name(id_))

    @contextmanager
    def _counting_bytes(self, client: Client) -> Iterator[Callable[[int], None]]:
        """Yield a function that checks the size of an upload so far, and counts it while the block runs."""
        received = 0

        def check(size: int) -> None:
            nonlocal received
            self._coming[client.owner] += size - received
            received = size
            self._check_quota(client, size)
            self._disk.check()

        try:
            yield check
        finally:
            self._coming[client.owner] -= received
            self._coming += Counter()  # drops owners at zero

    def _check_quota(self, client: Client, size: int, id_: str | None = None) -> None:
        """Raise an `ApiError` if a file does not fit into its owner's quota and is not stored already.

        Args:
            client: The owner.
            size: The file's size, so far.
            id_: The file's id; None during the upload, when it may turn out to be any stored file of its size.
        """
        query = (
            "SELECT COALESCE(SUM(bytes), 0) AS taken, COALESCE(MAX(bytes), 0) AS largest, "
            "COALESCE(SUM(id = ?2), 0) AS there FROM files WHERE owner = ?1"
        )
        (row,) = self._store.rows(query, client.owner, id_)
        exists = row["there"] if id_ else size <= row["largest"]
        others = max(0, self._coming[client.owner] - size)
        if row["taken"] + others + size > self._quota and not exists:
            message = (
                f"your files take {row['taken'] + others:,} bytes, and this one {'' if id_ else 'at least '}{size:,} "
                f"more; the limit is {self._quota:,} in total (--files-mb): delete some first"
            )
            raise ApiError(507, "files_full", message, {"Connection": "close"})

    def get(self, client: Client, id_: str) -> FileBody:
        """Return a file's properties."""
        row = self._store.row("SELECT * FROM files WHERE owner = ? AND id = ?", client.owner, id_)
        if row is None:
            raise ApiError(404, "no_such_file", "there is no such file")
        return _body(row)

    def list(self, client: Client, limit: int, after: str | None) -> FileList:
        """Return a client's files, newest first.

        Args:
            client: The owner.
            limit: Most files to return.
            after: Id of the previous page's last file.
        """
        last = None if after is None else self.get(client, after)
        began, since = ("", 0) if last is None else (last.id, last.created_at)
        query = (
            "SELECT * FROM files WHERE owner = ?1 AND (?2 IS NULL OR created_s < ?3 OR (created_s = ?3 AND id > ?4)) "
            "ORDER BY created_s DESC, id LIMIT ?5"
        )
        found = [_body(row) for row in self._store.rows(query, client.owner, after, since, began, limit + 1)]
        return FileList(data=found[:limit], has_more=len(found) > limit)

    def path(self, client: Client, id_: str) -> Path:
        """Return a file's path."""
        return self._folder / client.owner / self.get(client, id_).id

    def delete(self, client: Client, id_: str) -> None:
        """Delete a file."""
        path = self.path(client, id_)
        self._store.change("DELETE FROM files WHERE owner = ? AND id = ?", client.owner, id_)
        path.unlink(missing_ok=True)


async def _write(
    chunks: AsyncIterator[bytes], file: IO[bytes], check: Callable[[int], None]
) -> tuple[str, int]:
    """Write a file as it arrives; return its id, which contains its content's hash, and its size.

    `check` is called with the size so far before each write, and raises an error if there is no space.
    """
    digest, size = hashlib.sha256(), 0
    buffer: list[bytes] = []

    def write() -> None:
        for chunk in buffer:
            digest.update(chunk)
            file.write(chunk)
        file.flush()

    buffered = 0
    async for chunk in chunks:
        buffer.append(chunk)
        size, buffered = size + len(chunk), buffered + len(chunk)
        if buffered >= _CHUNK_BYTES:
            check(size)
            await asyncio.to_thread(write)
            buffer, buffered = [], 0
    check(size)
    await asyncio.to_thread(write)
    return f"{PREFIX}{digest.hexdigest()}", size


def _safe_name(name: str) -> str:
    """Return a file name without folders and special characters."""
    return re.sub(r"[^\w .()-]", "_", re.split(r"[/\\]", name)[-1])[-_MAX_NAME:] or "video"


def _body(row: sqlite3.Row) -> FileBody:
    return FileBody(
        id=row["id"],
        bytes=row["bytes"],
        created_at=row["created_s"],
        filename=row["name"],
        video=json.loads(row["video"]),
    )
