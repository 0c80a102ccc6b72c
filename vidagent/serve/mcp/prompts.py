"""Prompts that a person chooses in an assistant; each says how to go about a task with the tools."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Name = Annotated[str, Field(description="the video, as list_videos names it")]
_OWN_EYES = (
    "Where its status is cannot_judge, look for yourself: `look` over the whole video with 16 frames, then over the "
    "parts that matter, and say what you could not see between the frames."
)


def find_moment(
    video: Name,
    what: Annotated[str, Field(description="what is looked for; text on screen in double quotes")],
) -> str:
    """Find when something happens or is shown in a video, and see the frames of it."""
    return (
        f"Find this in the video {video}: {what}\n"
        f"Call `ask` with it as one question in full words, and look at the frames of its evidence. {_OWN_EYES} "
        "Answer with the time of each place, how sure that is, and plainly that it is not there if it was not found."
    )


def summarize_video(video: Name) -> str:
    """Summarize a video in parts, each with its time."""
    return (
        f"Summarize the video {video}.\n"
        "Call `probe`, then `summarize`. "
        f"{_OWN_EYES} Answer with one sentence for the whole, then a line for each part with its time."
    )


def check_statement(
    video: Name, statement: Annotated[str, Field(description="what is said to be so in the video")]
) -> str:
    """Check whether what is said of a video is so, against its frames."""
    return (
        f"Check this against the video {video}: {statement}\n"
        "Call `ask` for each thing that the statement says, and `frames` at the times of the answers. "
        f"{_OWN_EYES} Answer supported, contradicted or not to be seen for each, with the time that shows it."
    )


PROMPTS = (find_moment, summarize_video, check_statement)
