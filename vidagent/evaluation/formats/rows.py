"""Records of annotation files: JSON, JSON lines, CSV, and parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import importlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from vidagent.errors import UsageError

_SUFFIXES = (".json", ".jsonl", ".csv", ".tsv", ".parquet")


class Row(BaseModel):
    """A record of an annotation file; unneeded fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True)


TRow = TypeVar("TRow", bound=Row)


def read_rows(path: Path) -> list[Any]:
    """Return the records of a file, by its suffix.

    Raises:
        UsageError: If it cannot be read, is in no known form, or holds no list of records.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet(path)
    if suffix in {".csv", ".tsv"}:
        return list(
            csv.DictReader(
                read_text(path).splitlines(keepends=True), delimiter="\t" if suffix == ".tsv" else ","
            )
        )
    if suffix == ".jsonl":
        return list(_lines(path))
    if suffix != ".json":
        raise UsageError(f"{path}: annotations are {', '.join(_SUFFIXES)}; got {suffix or 'no suffix'}")
    rows = read_json(path)
    if not isinstance(rows, list):
        raise UsageError(f"{path}: expected a list of records, got {type(rows).__name__}")
    return rows


def read_json(path: Path) -> Any:  # noqa: ANN401 - any JSON value
    """Return the content of a JSON file.

    Raises:
        UsageError: If it cannot be read.
    """
    try:
        return json.loads(read_text(path))
    except ValueError as error:
        raise UsageError(f"{path}: not JSON: {error}") from None


def read_text(path: Path) -> str:
    """Return a file's text.

    Raises:
        UsageError: If it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8: {error}") from None


def validated(rows: Iterable[Any], kind: type[TRow], path: Path) -> Iterator[TRow]:
    """Yield records checked against their schema.

    Raises:
        UsageError: If one does not fit; the message names file, record and field.
    """
    for number, row in enumerate(rows, 1):
        try:
            yield kind.model_validate(row)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(map(str, first["loc"])) or "record"
            raise UsageError(f"{path}, record {number}: {field}: {first['msg'].lower()}") from None


def _lines(path: Path) -> Iterator[Any]:
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise UsageError(f"{path}, line {number}: not JSON: {error}") from None


def _parquet(path: Path) -> list[Any]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise UsageError(
            f"{path}: parquet needs pyarrow, which is not installed (pip install pyarrow); "
            "an export to .json, .jsonl or .csv is read without it"
        ) from None
    try:
        rows: list[Any] = parquet.read_table(path).to_pylist()
    except (OSError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise UsageError(f"{path}: cannot be read: {error}") from None
    return rows
