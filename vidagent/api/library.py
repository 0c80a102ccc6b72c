"""A library of videos that can be asked: the agent is asked about those that fit a question best."""

from __future__ import annotations

import asyncio
from typing import Unpack

from vidagent.api.ask import aanalyze_video, run_to_its_end
from vidagent.library.library import SearchableLibrary
from vidagent.runs.request import EventArguments
from vidagent.types import Answer
from vidagent.video.folder import FoundPath


class Library(SearchableLibrary):
    """Many videos, indexed for one search.

        >>> library = Library()
        >>> library.add("~/videos")
        >>> for hit in library.find("red car"):
        ...     print(hit.video, hit.time_s, hit.why)
        >>> print(library.ask("When does the red car turn left?").answer)

    Words are found in subtitles, transcripts, texts on screen and file names. Pictures are found by meaning where
    `embedding_base_url` names a server of an embedding model. A library that is open in several processes stays intact.
    """

    def ask(self, question: str, *, videos: int = 4, **arguments: Unpack[EventArguments]) -> Answer:
        """Find the videos that fit a question best, and ask the agent about them under one budget.

        Args:
            question: The question.
            videos: Most videos that are asked about, 1 to 16.
            arguments: Those of `analyze_video`.

        Raises:
            UsageError: If nothing in the library fits the question, or an argument is out of range.
            VideoError, ModelError: As `analyze_video` does.
        """
        return run_to_its_end(lambda: self.aask(question, videos=videos, **arguments))

    async def aask(self, question: str, *, videos: int = 4, **arguments: Unpack[EventArguments]) -> Answer:
        """Do the same as a coroutine; see `ask`."""
        paths, _ = await asyncio.to_thread(self.best_videos, question, videos)
        return await aanalyze_video([FoundPath(path) for path in paths], question, **arguments)
