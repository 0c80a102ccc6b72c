"""The papers of the repository say what is true of it."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from importlib.metadata import version

import pytest
import typer

import vidagent
from tests.conftest import ROOT
from vidagent.serve.cli.app import app

DOCS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))
PAPERS = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "ARCHITECTURE.md", *DOCS)
SKILL = "skills/vidagent/SKILL.md"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def text(name: str) -> str:
    return (ROOT / name).read_text()


def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        # An unpacked source archive does not know which of its files are tracked.
        pytest.skip("not a git checkout")
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", text("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("paper", PAPERS)
def test_make_commands_in_the_papers_exist(paper):
    named = set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", text(paper), re.MULTILINE))
    assert named <= targets()


def test_the_readme_leads_with_the_two_commands():
    assert text("README.md").index("make demo") < text("README.md").index("make test")


def test_what_is_installed_from_a_clone_is_the_clone():
    """The package is in no registry: `pip install 'vidagent[serve]'` finds nothing before it is installed."""
    told = [name for name in tracked() if name.endswith((".md", ".sh")) or name.startswith("examples/")]
    assert [name for name in told if re.search(r"pip install '?vidagent\b", text(name))] == []


@pytest.mark.parametrize("paper", PAPERS)
def test_links_lead_somewhere(paper):
    links = re.findall(r"\]\(([^)#\s]+)", text(paper)) + re.findall(r'src="([^"]+)"', text(paper))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not ((ROOT / paper).parent / link).exists()] == []


def commands(paper: str) -> list[list[str]]:
    """Return the words of each line of a paper that calls `vidagent`, up to where another program's begin."""
    lines = re.findall(r"^(?:\$ |[^`\n]*\| )?vidagent (?![^ ]*:)(.*)", text(paper), re.MULTILINE)
    return [re.split(r" -- | *#|\s\|\s|[;&]", line)[0].split() for line in lines]


def legal(words: list[str]) -> set[str]:
    """Return the flags of the command that these words call."""
    command = typer.main.get_command(app)
    flags = {"--help", "--install-completion", "--show-completion"}
    for word in words:
        flags |= {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
        command = getattr(command, "commands", {}).get(word, command)
    return flags | {name for param in command.params for name in (*param.opts, *param.secondary_opts)}


@pytest.mark.parametrize("paper", ["README.md", SKILL, *DOCS])
def test_flags_in_the_papers_exist(paper):
    for words in commands(paper):
        named = {word.split("=")[0].rstrip(",.") for word in words if re.match(r"-[-a-z]", word)}
        assert named <= legal(words), words


def test_the_skill_has_the_open_format():
    """https://agentskills.io/specification: name as the folder's, what it does and when, no unknown field."""
    _, head, body = text(SKILL).split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    assert fields["name"] == "vidagent"
    assert 0 < len(fields["description"]) <= 1024
    assert len(fields["compatibility"]) <= 500
    assert set(fields) <= {"name", "description", "license", "compatibility", "metadata", "allowed-tools"}
    assert len(body.splitlines()) < 500
    flags = set(re.findall(r"--[a-z][a-z-]+", body))
    assert flags <= {flag for name in ("ask", "texts", "probe") for flag in legal([name])}


def test_the_plugin_is_of_this_version_and_starts_a_command_that_exists():
    plugin = json.loads(text(".claude-plugin/plugin.json"))
    assert plugin["version"] == PROJECT["project"]["version"]
    (server,) = plugin["mcpServers"].values()
    assert server["command"] in PROJECT["project"]["scripts"]
    assert server["args"][0] in typer.main.get_command(app).commands
    (listed,) = json.loads(text(".claude-plugin/marketplace.json"))["plugins"]
    assert (listed["name"], listed["source"]) == (plugin["name"], "./")


def test_the_papers_call_the_commands():
    named = {words[0] for paper in ("README.md", *DOCS) for words in commands(paper)}
    assert {"ask", "chat", "serve", "vlm", "sessions"} <= named


def test_the_version_stands_in_one_place():
    assert version("vidagent") == PROJECT["project"]["version"]
    assert vidagent.__version__ == PROJECT["project"]["version"]
    sources = [name for name in tracked() if name.endswith(".py") and name.startswith("vidagent/")]
    written = re.compile(rf"__version__ *=|\b{re.escape(PROJECT['project']['version'])}\b")
    assert [name for name in sources if written.search(text(name))] == []
    assert [name for name in sources if "__version__" in text(name)] == ["vidagent/__init__.py"]


def test_the_changelog_has_the_version_or_unreleased():
    heads = re.findall(r"^## \[([^\]]+)\]", text("CHANGELOG.md"), re.MULTILINE)
    assert heads[:2] == ["Unreleased", PROJECT["project"]["version"]]
    assert set(heads) <= {"Unreleased"} | set(re.findall(r"\d+\.\d+\.\d+", text("CHANGELOG.md")))


@pytest.mark.parametrize(("number", "package"), [(0, "vidagent"), (1, "vidagent/serve")])
def test_the_layers_name_every_folder_and_module(number, package):
    contract = PROJECT["tool"]["importlinter"]["contracts"][number]
    named = {name.strip() for row in contract["layers"] for name in row.split("|")}
    code = [path for path in (ROOT / package).iterdir() if path.suffix == ".py" or any(path.rglob("*.py"))]
    there = {f"{package}/{path.stem}".replace("/", ".") for path in code if not path.name.startswith("_")}
    assert there - named == set(), f"not in the layers of {contract['name']!r}"


def test_the_paths_in_the_architecture_exist():
    named = re.findall(r"`([\w./-]+[/.][\w./-]*)`", text("ARCHITECTURE.md"))
    paths = [name for name in named if "/" in name or name.endswith((".py", ".toml"))]
    assert len(paths) > 30
    assert [path for path in paths if not any((ROOT / top / path).exists() for top in ("", "vidagent"))] == []


def test_the_tests_that_security_rests_on_exist():
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text("docs/security.md"))
    assert len(named) > 35
    assert [pair for pair in named if f"def {pair[1]}(" not in text(pair[0])] == []


def test_no_path_of_one_machine():
    home = re.compile(r"(?<![\w.])/(?:home|Users|root|work)/\w")
    names = (
        name for name in tracked() if name.endswith((".py", ".md", ".toml", ".yaml", ".yml", "Makefile"))
    )
    assert [name for name in names if home.search(text(name))] == []


def test_extras_do_not_leak_into_the_core():
    core = {re.split(r"[^\w-]", line)[0] for line in PROJECT["project"]["dependencies"]}
    assert core.isdisjoint({"torch", "vllm", "transformers", "ray", "mcp", "fastapi", "langserve"})
