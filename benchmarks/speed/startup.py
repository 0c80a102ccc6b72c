"""Start-up: CPU seconds of commands up to their first result, and what the imports of a question cost.

The video is a short clip with an index. CPU seconds are those of a whole process and of what it starts.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence

from benchmarks.speed.drawn_videos import drawn
from benchmarks.speed.turns import Row, Setting, Table, compared, in_turn

_CLIP_S, _CLIP_WH = 8.0, (640, 360)
_QUESTION = 'When does the text "ORCHID 7421" appear?'
_CANNOT = "Is the person happy?"
_IMPORTS = "import vidagent; vidagent.analyze_video"
_FIRST_LOOK = """
import os, sys
from vidagent import analyze_video
from benchmarks.cpu_time import cpu_s
def listen(event):
    if event.kind == "look":
        print(cpu_s(), flush=True)
        os._exit(0)
analyze_video(sys.argv[1], sys.argv[2], model="signals", on_event=listen)
"""
"""Prints its CPU seconds when the tool of the first look has its frames, before the model sees them."""
_IMPORT_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| +(\S+)")
_PACKAGES = 12


def measure(setting: Setting) -> list[Table]:
    """Return the table of commands, and that of packages."""
    clip = drawn(setting.folder, _CLIP_S, _CLIP_WH)
    env = {**os.environ, "VIDAGENT_CACHE_DIR": str(setting.folder / "startup-cache")}
    vidagent = [sys.executable, "-m", "vidagent"]
    asked = [*vidagent, "ask", str(clip), _CANNOT, "--model", "signals", "--json"]
    first_look = [sys.executable, "-c", _FIRST_LOOK, str(clip), _QUESTION]
    subprocess.run([*vidagent, "index", str(clip)], env=env, check=True, capture_output=True)
    subprocess.run(first_look, env=env, check=True, capture_output=True)
    ways = {
        "imports of a question": lambda: _cpu_s([sys.executable, "-c", _IMPORTS], env),
        "vidagent --help": lambda: _cpu_s([*vidagent, "--help"], env),
        "ask, to the first look": lambda: float(
            subprocess.run(first_look, env=env, check=True, capture_output=True, text=True).stdout
        ),
        'ask, to "cannot judge"': lambda: _cpu_s(asked, env),
    }
    rows = compared(in_turn(ways, setting.rounds), "imports of a question")
    packages = _imports(setting.rounds, env)
    return [
        Table("start-up", "CPU s", rows, base="the imports"),
        Table("imports by package, without what they import", "ms", packages),
    ]


def _cpu_s(command: Sequence[str], env: dict[str, str]) -> float:
    """Run a command and return the CPU seconds that it and its children took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=env, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _imports(rounds: int, env: dict[str, str]) -> list[Row]:
    """Return the packages that take longest to import, and all of them together, by `-X importtime`."""
    runs = []
    for _ in range(rounds):
        command = [sys.executable, "-X", "importtime", "-c", _IMPORTS]
        told = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stderr
        spent: Counter[str] = Counter()
        for own_us, module in _IMPORT_LINE.findall(told):
            spent[module.partition(".")[0]] += int(own_us) / 1000
        runs.append(spent)
    longest = [name for name, _ in sum(runs, Counter[str]()).most_common(_PACKAGES)]
    whole = Row("all together", [sum(spent.values()) for spent in runs])
    return [whole, *(Row(name, [spent[name] for spent in runs]) for name in longest)]
