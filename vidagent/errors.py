"""Every error that vidagent raises on purpose.

VidagentError                 anything below; carries the exit code of the command line
├── UsageError       (exit 2) the request is invalid: the message names the legal range
│   └── BudgetError  (exit 2) a budget that is not a positive number
├── VideoError       (exit 3) the file is missing, unreadable, unsupported or too large
├── ModelError       (exit 4) the model's server is unreachable, refuses, or its replies cannot be used
└── BudgetSpent      (exit 5) a budget ended the run; raised inside the graph only, where it becomes `partial`

`ToolError` stands apart: its text is written for the model, goes back to it, and never reaches the caller.
"""

from __future__ import annotations


class VidagentError(Exception):
    """Base of all deliberate errors; `exit_code` is what the command line returns for it."""

    exit_code = 1


class UsageError(VidagentError):
    """The request itself is wrong: the message names the value got and the legal range."""

    exit_code = 2


class BudgetError(UsageError):
    """A budget that is not a positive number."""


class VideoError(VidagentError):
    """The video is missing, unreadable, unsupported or over a limit."""

    exit_code = 3


class ModelError(VidagentError):
    """The model's server is unreachable, refused the request, or replied with nothing usable."""

    exit_code = 4


class BudgetSpent(VidagentError):  # noqa: N818 - the end of a run, not an error
    """A budget ran out.

    Attributes:
        name: The field of `Budget` that ended the run, such as `"frames"`; `"context"` if no shorter form of a request
            fits the model's context.
    """

    exit_code = 5

    def __init__(self, name: str) -> None:
        """Store which budget ran out."""
        super().__init__(f"the {name} budget is spent")
        self.name = name


class ToolError(Exception):
    """A tool could not do what the model asked; the text says what is legal, for the model to read."""
