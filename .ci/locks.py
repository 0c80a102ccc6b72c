"""Locks: the exact packages, with their hashes, that `make demo`, `make serve`, `make test` and the image install.

`python .ci/locks.py install NAME` installs vidagent and the packages of locks/NAME.txt, `python .ci/locks.py write`
(`make lock`) resolves them anew. A lock says in its first line for which requirements it was made. One that is older
than pyproject.toml is not used: the packages then come from the index, unlocked, and a line says so.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent.parent
EXTRAS = {"test": ("dev",), "demo": (), "serve": ("serve",), "image": ("serve", "otel")}
"""Locks and their extras; the first one has all packages of the others, which take its versions."""
BUILD = "hatchling\neditables\n"
"""What builds vidagent itself; it is locked too, as pip would fetch it unchecked."""
PIP = [sys.executable, "-m", "pip", "--quiet", "--quiet", "--disable-pip-version-check"]
OLDEST = "3.11"


def first_line(name: str) -> str:
    """Return the first line of a lock that belongs to pyproject.toml as it is."""
    project: dict[str, Any] = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    asked, extras = [project["requires-python"], *project["dependencies"]], list(EXTRAS[name])
    for extra in extras:  # grows by the extras that one names
        asked += project["optional-dependencies"][extra]
        for named in re.findall(r"^vidagent\[(.+)\]$", "\n".join(asked), re.MULTILINE):
            extras += [one for one in named.split(",") if one not in extras]
    digest = hashlib.sha256(json.dumps(sorted(set(asked))).encode()).hexdigest()[:16]
    return f"# For requirements {digest}; `make lock` writes this file."


def is_current(name: str) -> bool:
    """Return whether a lock belongs to pyproject.toml as it is."""
    lock = HERE / "locks" / f"{name}.txt"
    return lock.is_file() and lock.read_text().partition("\n")[0] == first_line(name)


def install(name: str) -> None:
    """Install vidagent, editable, and what it needs for a command."""
    if is_current(name):
        _run(*PIP, "install", "--require-hashes", "--requirement", f"locks/{name}.txt")
        _run(*PIP, "install", "--no-deps", "--no-build-isolation", "--editable", ".")
        return
    sys.stderr.write(
        f"locks/{name}.txt is older than pyproject.toml: installing the newest packages instead, without checking "
        "hashes (`make lock` renews it)\n"
    )
    extras = f"[{','.join(EXTRAS[name])}]" if EXTRAS[name] else ""
    _run(*PIP, "install", "--editable", f".{extras}")


def write() -> None:
    """Resolve all locks anew, for every platform and every Python that pyproject.toml allows."""
    widest = next(iter(EXTRAS))
    for name, extras in EXTRAS.items():
        _run(
            "uv", "pip", "compile", "pyproject.toml", "-", *(word for extra in extras for word in ("--extra", extra)),
            *([] if name == widest else ["--constraint", f"locks/{widest}.txt"]), "--upgrade",
            "--universal", "--python-version", OLDEST, "--generate-hashes", "--no-header", "--no-annotate",
            "--no-emit-index-url", "--no-emit-find-links", "--quiet", "--output-file", f"locks/{name}.txt",
            said=BUILD,
        )  # fmt: skip
        lock = HERE / "locks" / f"{name}.txt"
        lock.write_text(f"{first_line(name)}\n{lock.read_text()}")


def _run(*command: str, said: str | None = None) -> None:
    done = subprocess.run(command, cwd=HERE, input=said, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["install", name] if name in EXTRAS:
            install(name)
        case ["write"]:
            write()
        case _:
            sys.exit(__doc__)
