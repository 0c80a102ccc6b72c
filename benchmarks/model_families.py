"""What is known of each family of models: the profile of each current id, its time label and its form of boxes.

`python -m benchmarks.model_families` from the repository root. The ids are those of `tests/agents/profiles`. A label is
read back exactly if a reply that copies it, alone or behind our own, gets the exact time of its frame.
"""

from __future__ import annotations

from tests.agents.profiles.test_families import CURRENT
from vidagent.agents.client.limits import estimate_tokens
from vidagent.agents.client.time_labels import label_of, with_time_labels
from vidagent.agents.profiles import loader
from vidagent.agents.profiles.schema import TimeLabel
from vidagent.agents.prompting.messages import look_messages
from vidagent.agents.prompting.replies import Sighting
from vidagent.images.shown_frame import ShownFrame

TIMES_S = (10.0, 12.48, 14.96, 83.375)


def read_back(form: TimeLabel) -> bool:
    """Tell whether the label of every frame is read as its exact time."""
    frames = [ShownFrame.of(time_s, b"", size_wh=(64, 48)) for time_s in TIMES_S]
    exact_s = with_time_labels(look_messages("When?", None, "a ball", frames), form).exact_s
    for number, time_s in enumerate(TIMES_S, 1):
        label = label_of(form, number, time_s)
        for written in (label, f"t = {time_s:.3f} s {label}"):
            read_s = Sighting.model_validate({"time_s": written}).time_s
            if exact_s.get(read_s, read_s) != time_s:
                return False
    return True


def labels() -> None:
    """Print the label of each family, what it costs beside the exact time, and whether it is read back."""
    print(
        "| profile | label beside `t = 12.480 s` | tokens a frame (4 characters each) | read back exactly |"
    )
    print("|---|---|---|---|")
    for name in loader.names():
        form = loader.load(name).time_label
        if form is not None:
            label = label_of(form, 2, 12.48)
            print(f"| {name} | `{label}` | {estimate_tokens(len(label) + 1)} | {read_back(form)} |")


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
