"""`vidagent serve keys`: API keys made, listed and revoked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vidagent.serve.cli import lazy
from vidagent.serve.cli.flags import AsJson
from vidagent.serve.core.http.options import default_data_dir
from vidagent.serve.terminal import console, printing

if TYPE_CHECKING:
    from vidagent.serve.core.storage.keys import ApiKeys

app = typer.Typer(name="keys", help="Make, list and revoke API keys; a running server heeds it at once.")

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        envvar="VIDAGENT_SERVE_DATA_DIR",
        help="Folder of files, keys and jobs; the user's data folder otherwise.",
    ),
]
Owner = Annotated[
    str,
    typer.Argument(
        metavar="OWNER", help="Whose key it is; files and jobs are shared by all keys of an owner."
    ),
]
Scopes = Annotated[
    list[str] | None,
    typer.Option(
        "--scope", metavar="SCOPE", help="ask, files or metrics; repeatable; ask and files otherwise."
    ),
]
Id = Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `list` shows it.")]


@app.command()
def add(owner: Owner, scope: Scopes = None, data_dir: DataDir = None) -> None:
    """Make a key and print it; it is shown this once."""
    with _keys(data_dir) as keys:
        key = keys.add(owner, scope or ("ask", "files"))
    console.stdout().say(key)
    console.stderr().say("that is the key, and it is not shown again: only its hash is stored")


@app.command(name="list")
def list_(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the keys."""
    with _keys(data_dir) as keys:
        printing.show_report(lazy.keys.KeyList(keys.all()), as_json=as_json)


@app.command()
def revoke(id: Id, data_dir: DataDir = None) -> None:  # noqa: A002 - the argument's name
    """Take a key back."""
    with _keys(data_dir) as keys:
        keys.revoke(id)


@contextmanager
def _keys(data_dir: Path | None) -> Iterator[ApiKeys]:
    store = lazy.database.Store(data_dir or default_data_dir())
    try:
        yield lazy.keys.ApiKeys(store)
    finally:
        store.close()
