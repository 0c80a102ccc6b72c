"""The videos that clients have uploaded: named by their content, and there for their owner alone."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO, Any

from vidagent import api
from vidagent.serve.core.caller import Client
from vidagent.serve.core.errors import ApiError
from vidagent.serve.core.schemas import FileBody, FileList, FileVideo
from vidagent.serve.core.storage.database import Store
from vidagent.serve.core.storage.disk import Disk
from vidagent.serve.core.storage.upload_parser import UploadForm

PREFIX = "file-"
_PART = ".part-"
_PIECE_BYTES = 1 << 20
_MOST_NAME = 200


class UploadedFiles:
    """A folder for each owner, with a file for each video, and a row beside it for what is told of it.

    Args:
        folder: Where they lie.
        store: Where the rows are.
        disk: The disk that they come to.
        most_bytes: Most that the files of one owner take together.
    """

    def __init__(self, folder: Path, store: Store, disk: Disk, most_bytes: int) -> None:
        """Clear away what uploads that were cut off by the process's end have left."""
        self._folder = folder
        self._store = store
        self._disk, self._most = disk, most_bytes
        for part in folder.glob(f"*/{_PART}*"):
            part.unlink(missing_ok=True)

    async def add(self, client: Client, form: UploadForm, least_bytes: int = 0) -> FileBody:
        """Keep the video of a form.

        Args:
            client: Whose it is.
            form: The form.
            least_bytes: What its video has at least, as far as is known before it comes.

        Raises:
            ApiError: If the form is not well formed, or there is no room for the video.
            VideoError: If it is no video.
        """

        def check(size: int) -> None:
            self._check(client, size)
            self._disk.check()

        self._check(client, least_bytes)
        self._disk.check(least_bytes)
        folder = self._folder / client.owner
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=_PART, delete=False) as file:
            part = Path(file.name)
            try:
                with self._disk.written():
                    id_, size = await _written(form.file(), file, check)
                probe = await asyncio.to_thread(api.probe_video, part)
                video = FileVideo.model_validate(probe.info.to_dict())
                self._check(client, size, id_)
                with self._store.transaction():
                    self._store.change(
                        "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
                        client.owner, id_, _plain(form.name or ""), size, int(time.time()), video.model_dump_json(),
                    )  # fmt: skip
                    part.replace(folder / id_)
            finally:
                part.unlink(missing_ok=True)
        return self.get(client, id_)

    def _check(self, client: Client, size: int, id_: str | None = None) -> None:
        """Refuse a file with which those of its owner would take too much, unless it is one of them already.

        Args:
            client: Whose it is.
            size: Its bytes, so far.
            id_: Its id; None while it comes, when it may be any of them that is as large.

        Raises:
            ApiError: If they would.
        """
        query = (
            "SELECT COALESCE(SUM(bytes), 0) AS taken, COALESCE(MAX(bytes), 0) AS largest, "
            "COALESCE(SUM(id = ?2), 0) AS there FROM files WHERE owner = ?1"
        )
        (kept,) = self._store.rows(query, client.owner, id_)
        again = kept["there"] if id_ else size <= kept["largest"]
        if kept["taken"] + size > self._most and not again:
            told = (
                f"your files take {kept['taken']:,} bytes, and this one {'' if id_ else 'at least '}{size:,} more; "
                f"together they may take {self._most:,} (--files-mb): delete some first"
            )
            raise ApiError(507, "files_full", told, {"Connection": "close"})

    def get(self, client: Client, id_: str) -> FileBody:
        """Return what is known of a file.

        Raises:
            ApiError: If there is none of that id, or it is somebody else's.
        """
        row = self._store.row("SELECT * FROM files WHERE owner = ? AND id = ?", client.owner, id_)
        if row is None:
            raise ApiError(404, "no_such_file", "there is no such file")
        return _body(row)

    def list(self, client: Client, limit: int, after: str | None) -> FileList:
        """Return what is known of a client's files, the newest first.

        Args:
            client: Whose files.
            limit: Most of them.
            after: The id of the last file of the list before.

        Raises:
            ApiError: If there is no file of that id.
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
        """Return where a file lies.

        Raises:
            ApiError: If there is none of that id, or it is somebody else's.
        """
        return self._folder / client.owner / self.get(client, id_).id

    def delete(self, client: Client, id_: str) -> None:
        """Delete a file.

        Raises:
            ApiError: If there is none of that id, or it is somebody else's.
        """
        path = self.path(client, id_)
        self._store.change("DELETE FROM files WHERE owner = ? AND id = ?", client.owner, id_)
        path.unlink(missing_ok=True)


async def _written(
    pieces: AsyncIterator[bytes], file: IO[bytes], check: Callable[[int], None]
) -> tuple[str, int]:
    """Write a file as it comes; return its id, which is the hash of what is in it, and its size.

    Args:
        pieces: What comes.
        file: Where it goes.
        check: Given the size so far, before it is written, and raises an error where there is no room for it.
    """
    digest, size = hashlib.sha256(), 0
    waiting: list[bytes] = []

    def write() -> None:
        for piece in waiting:
            digest.update(piece)
            file.write(piece)
        file.flush()

    held = 0
    async for piece in pieces:
        waiting.append(piece)
        size, held = size + len(piece), held + len(piece)
        if held >= _PIECE_BYTES:
            check(size)
            await asyncio.to_thread(write)
            waiting, held = [], 0
    check(size)
    await asyncio.to_thread(write)
    return f"{PREFIX}{digest.hexdigest()}", size


def _plain(name: str) -> str:
    """Return a file's name without folders and control characters."""
    return re.sub(r"[^\w .()-]", "_", re.split(r"[/\\]", name)[-1])[-_MOST_NAME:] or "video"


def _body(row: sqlite3.Row) -> FileBody:
    told: dict[str, Any] = dict(row)
    return FileBody(
        id=told["id"],
        bytes=told["bytes"],
        created_at=told["created_s"],
        filename=told["name"],
        video=json.loads(told["video"]),
    )
