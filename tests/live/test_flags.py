"""The command line of every profile and size, as it is printed, put to vLLM's own parser."""

from __future__ import annotations

import json
import shlex

import pytest

from vidagent.agents.profiles import loader
from vidagent.serve.cli import app

pytestmark = pytest.mark.vllm

SERVED = [
    f"{name}:{variant}" if variant else name
    for name in loader.names()
    if loader.load(name).serve.runner == "vllm" and not loader.load(name).hosts
    for variant in loader.load(name).serve.variants or [""]
]
VERSIONS = {"": ("0.32.0", {"step-5"}), "source-0.33.0": ("0.33.0", set())}
"""Folder of vLLM's source over the one installed, its version, and profiles with a parser that it does not have yet."""


def printed(capsys, name: str) -> list[str]:
    """Return the words of a command as `vidagent vlm serve NAME --print` prints it."""
    variants = loader.load(name.partition(":")[0]).serve.variants
    model = () if variants else ("--model", "org/model")
    capsys.readouterr()
    assert app.run(("vlm", "serve", name, "--print", *model)) == 0
    words = shlex.split(capsys.readouterr().out.replace("\\\n", ""))
    return words[words.index("vllm") :]


@pytest.mark.parametrize("folder", VERSIONS)
def test_vllm_parses_the_command_line_of_every_profile(kitchen, capsys, tmp_path, folder):
    source = kitchen.environment / folder
    if not source.is_dir():
        pytest.skip(f"no source in {source}: `make test-vllm` fetches it")
    version, without = VERSIONS[folder]
    lines = {name: printed(capsys, name) for name in SERVED}
    wrong = {
        "a flag": [*lines["qwen3-vl:8b"], "--no-such-flag"],
        "a value": [*lines["qwen3-vl:8b"], "--media-io-kwargs", "{"],
        "a parser": [*lines["qwen3-vl:8b"], "--tool-call-parser", "nobody"],
    }
    (tmp_path / "lines.json").write_text(json.dumps([*lines.values(), *wrong.values()]))
    done = kitchen.run("-m", "tests.live.flag_parser", str(tmp_path / "lines.json"), newer=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["version"] == version
    refused = dict(zip([*lines, *wrong], said["refused"], strict=True))
    assert {name for name, why in refused.items() if why} == {*without, *wrong}
