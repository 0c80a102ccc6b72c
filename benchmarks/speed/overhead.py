"""Our own time per model call and per step: whole runs with a scripted server that answers at once.

The server is a process of its own. CPU time is that of the program alone, decoding processes and server aside.
"""

from __future__ import annotations

import os
import time

from benchmarks.rest_server import vlm
from benchmarks.speed.drawn_videos import drawn
from benchmarks.speed.sampler import Sampler
from benchmarks.speed.turns import Row, Setting, Table
from vidagent import Answer, analyze_video

_CLIP_S, _CLIP_WH = 8.0, (640, 360)
_RUNS = 2
"""Runs in a round; one more comes before all of them, for what a program does once."""
_PACKAGES = 12


def measure(setting: Setting) -> list[Table]:
    """Return the times per call and step, and the share of each package."""
    clip = drawn(setting.folder, _CLIP_S, _CLIP_WH)
    os.environ["VIDAGENT_CACHE_DIR"] = str(setting.folder / "overhead-cache")
    per_call, per_step, wall, steps = [], [], [], []
    with vlm(0.0) as url:

        def ask() -> Answer:
            return analyze_video(clip, "What is to be seen?", base_url=url, model="scripted")

        ask()
        for _ in range(setting.rounds):
            cpu, began = time.process_time(), time.perf_counter()
            usages = [ask().usage for _ in range(_RUNS)]
            cpu, took = time.process_time() - cpu, time.perf_counter() - began
            calls, all_steps = (
                sum(getattr(use, name) for use in usages) for name in ("model_calls", "steps")
            )
            per_call.append(1000 * cpu / calls)
            per_step.append(1000 * cpu / all_steps)
            wall.append(1000 * took / calls)
            steps.append(calls / _RUNS)
        with Sampler() as sampler:
            for _ in range(_RUNS * setting.rounds):
                ask()
    whole = sum(sampler.cpu_s.values())
    shares = [Row(name, [100 * used / whole]) for name, used in sampler.cpu_s.most_common(_PACKAGES)]
    note = f"{steps[0]:g} calls a run"
    rows = [
        Row("CPU per model call", per_call, note=note),
        Row("CPU per step", per_step),
        Row("wall per model call, decoding and server included", wall),
    ]
    return [Table("a run without latency", "ms", rows), Table("where its CPU time goes", "%", shares)]
