"""Compose: render the checked answer in words for those who stream the run; it needs no model."""

from __future__ import annotations

from vidagent.graphs.answer_text import answer_words
from vidagent.graphs.budget import StepMeter
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run, Update


async def compose(progress: Progress, run: Run, meter: StepMeter) -> Update:
    """Emit the words of a positive draft whose claims, or some of them, are supported."""
    draft = progress.draft
    if run.stream and draft is not None and draft.found == "yes" and progress.supported:
        run.tell("token", answer_words(progress, run, draft), "compose")
    return {}
