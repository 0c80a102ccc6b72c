"""The script that draws the demo video, loaded as a module, and its video: drawn once in a run of the tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from tests.media.kept import kept_file

SCRIPT = Path(__file__).parents[2] / "examples" / "draw_demo.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw_demo", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["draw_demo"] = module
    spec.loader.exec_module(module)
    return module


demo = _load()
_render = demo.render


def render_once(path: Path) -> None:
    """Write the demo video, as `demo.render` does."""
    kept_file(path, ("demo", SCRIPT.read_bytes()), _render)
