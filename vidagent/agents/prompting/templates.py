"""Prompts are the files in `prompts/`; a variable that is missing or unknown fails at once."""

from __future__ import annotations

from functools import cache
from importlib import resources
from string import Template


def render(name: str, **variables: str) -> str:
    """Fill in the prompt `prompts/<name>.md`.

    Args:
        name: The file's name without `.md`.
        **variables: A value for each `$variable` of the file, no more and no fewer.

    Raises:
        ValueError: If a variable is missing, or one is given that the prompt does not have.
    """
    template = _template(name)
    wanted, given = set(template.get_identifiers()), set(variables)
    if wanted != given:
        missing, unknown = sorted(wanted - given), sorted(given - wanted)
        raise ValueError(f"prompt {name!r}: missing variables {missing}, unknown variables {unknown}")
    return template.substitute(variables)


@cache
def _template(name: str) -> Template:
    text = resources.files("vidagent.agents.prompting").joinpath("prompts", f"{name}.md").read_text("utf-8")
    return Template(text.strip())
