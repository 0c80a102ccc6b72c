"""Measurements; see RESULTS.md.

The servers here are scripted and known, so a run asks none of them what it can do, unless a benchmark is about that.
"""

import os

os.environ.setdefault("VIDAGENT_PROBE_SERVER", "false")
