"""The server's log: one JSON object per line on stderr."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

from vidagent import tracing

_LEVELS = {
    "vidagent.serve": logging.INFO,
    "uvicorn": logging.INFO,
    "mcp": logging.WARNING,
    "opentelemetry": logging.WARNING,
}
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
"""Attributes of every record; all others were passed as `extra`."""


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if (trace_id := tracing.trace_id()) is not None:
            line["trace_id"] = trace_id
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


@contextmanager
def json_logging(stream: TextIO) -> Iterator[None]:
    """Write the server's log records to this stream only while the block runs."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_JsonFormatter())
    loggers = [logging.getLogger(name) for name in _LEVELS]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger, level in zip(loggers, _LEVELS.values(), strict=True):
        logger.addHandler(handler)
        logger.setLevel(level)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate
