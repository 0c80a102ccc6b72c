"""What is known of each family of models: the profile of each current id, its time label and its form of boxes.

`python -m benchmarks.model_families` from the repository root. The ids are those of `tests/agents/profiles`. A label is
read back exactly if a reply that copies it, alone or behind our own, gets the exact time of its frame: with frames
seconds apart, and with those of 240 frames a second. Tokens are counted as Qwen's tokenizer splits a text: a digit, a
word and a run of signs are one each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.agents.profiles.test_families import CURRENT
from vidagent.agents.client.time_labels import label_of, with_time_labels
from vidagent.agents.profiles import loader
from vidagent.agents.profiles.schema import TimeLabel
from vidagent.agents.prompting.messages import look_messages
from vidagent.agents.prompting.replies import Sighting
from vidagent.images.shown_frame import ShownFrame

SPARSE_S = (10.0, 12.48, 14.96, 83.375)
DENSE_S = (59.9917, 59.9958, 60.0, 60.0042)
_TOKEN = re.compile(r" ?[^\W\d_]+|\d| ?[^\w\s]+|\s")


def read_back(form: TimeLabel, times_s: Sequence[float]) -> bool:
    """Tell whether the label of every frame is read as its exact time."""
    times_s = [round(time_s, 3) for time_s in times_s]
    frames = [ShownFrame.of(time_s, b"", size_wh=(64, 48)) for time_s in times_s]
    exact_s = with_time_labels(look_messages("When?", None, "a ball", frames), form).exact_s
    for number, time_s in enumerate(times_s, 1):
        label = label_of(form, number, time_s, exact=not exact_s)
        for written in (label, f"t = {time_s:.3f} s {label}"):
            read_s = Sighting.model_validate({"time_s": written}).time_s
            if exact_s.get(read_s, read_s) != time_s:
                return False
    return True


def labels() -> None:
    """Print the label of each family, what it costs beside the exact time, and whether it is read back."""
    print(
        "| profile | label beside `t = 12.480 s` | if two would be the same | tokens a frame | "
        "read back exactly |"
    )
    print("|---|---|---|---|---|")
    for name in loader.names():
        form = loader.load(name).time_label
        if form is not None:
            label, longer = label_of(form, 2, 12.48), label_of(form, 2, 12.48, exact=True)
            tokens = " or ".join(str(len(_TOKEN.findall(f" {words}"))) for words in (label, longer))
            exact = all(read_back(form, times_s) for times_s in (SPARSE_S, DENSE_S))
            print(f"| {name} | `{label}` | `{longer}` | {tokens} | {exact} |")


def profiles() -> None:
    """Print the profile of each current model, and how it is used."""
    print("\n| model | profile | boxes | calls | thinks | context |")
    print("|---|---|---|---|---|---|")
    for model in CURRENT:
        profile = loader.match(model)
        cells = [profile.boxes, profile.tool_calls, "yes" if profile.thinking.can else "no"]
        print(f"| {model} | {profile.name} | {' | '.join(cells)} | {profile.context_tokens:,} |")
    unknown = [model for model in CURRENT if loader.match(model).name == "default"]
    print(f"\n{len(CURRENT)} ids, {len(unknown)} of them without a profile of their family")


if __name__ == "__main__":
    labels()
    profiles()
