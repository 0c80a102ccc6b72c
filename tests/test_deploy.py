"""The documents of deployment are well formed, and agree with the program that they run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from configparser import RawConfigParser

import pytest
import typer
import yaml

from tests.conftest import ROOT
from tests.test_repository import legal
from vidagent.serve.cli.app import app
from vidagent.serve.core.http.metrics import Metrics
from vidagent.serve.core.http.options import ServerOptions
from vidagent.serve.vlm import command

FOLDER = ROOT / "docs" / "deploy"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
INSTRUCTIONS = {
    "FROM", "ARG", "ENV", "RUN", "COPY", "WORKDIR", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK",
    "ENTRYPOINT", "CMD", "LABEL",
}  # fmt: skip
OTHERS = re.compile(r"up|node_\w+")
"""Metrics of Prometheus itself and of node_exporter."""
WORDS_OF_PROMQL = {"rate", "increase", "sum", "by", "on", "and", "le", "min_over_time", "histogram_quantile"}


def text(name: str) -> str:
    return (FOLDER / name).read_text()


def parsed(words: list[str]) -> dict[str, object]:
    """Have the real command line read these words, without running what they call."""
    found = typer.main.get_command(app)
    with found.make_context("vidagent", list(words), resilient_parsing=False) as context:
        inner, rest = found, words
        while getattr(inner, "commands", None) and rest and rest[0] in inner.commands:
            inner = inner.commands[rest[0]]
            context = inner.make_context(rest[0], list(rest[1:]), parent=context)
            rest = rest[1:]
        return context.params


def instructions() -> list[tuple[str, str]]:
    """Return the lines of the Dockerfile, continued ones as one."""
    lines = [line for line in text("Dockerfile").splitlines() if line.strip() and not line.startswith("#")]
    whole = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in whole.splitlines()]


def of(kind: str) -> list[str]:
    return [rest for name, rest in instructions() if name == kind]


def unit() -> RawConfigParser:
    """Return the unit; of options that stand several times, the last one."""
    read = RawConfigParser(strict=False, comment_prefixes=("#",), delimiters=("=",))
    read.optionxform = str
    read.read_string(text("vidagent.service"))
    return read


def test_the_dockerfile_keeps_to_the_grammar():
    names = [name for name, _ in instructions()]
    assert set(names) <= INSTRUCTIONS
    assert names[0] == "FROM"
    for kind in ("ENTRYPOINT", "CMD", "VOLUME"):
        (words,) = of(kind)
        assert all(isinstance(word, str) for word in json.loads(words))
    stages = [match[1] for stage in of("FROM") if (match := re.search(r" AS (\w+)$", stage))]
    assert stages == ["build"]
    assert set(re.findall(r"--from=(\w+)", "\n".join(of("COPY")))) <= set(stages)


def test_the_image_runs_as_nobody_and_looks_after_itself():
    assert of("USER") == ["10001:10001"]
    (check,) = of("HEALTHCHECK")
    assert "/healthz" in json.loads(check.split(" CMD ")[1])[2]
    environment = dict(pair.split("=", 1) for pair in of("ENV")[0].split())
    assert json.loads(of("VOLUME")[0]) == [
        environment["VIDAGENT_SERVE_DATA_DIR"],
        environment["VIDAGENT_CACHE_DIR"],
    ]


def test_what_the_image_is_built_of_is_there_and_let_through():
    kept = {line[1:] for line in text("Dockerfile.dockerignore").splitlines() if line.startswith("!")}
    copied = {
        name.removeprefix("./") for copy in of("COPY") if "--from" not in copy for name in copy.split()[:-1]
    }
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.parametrize("source", ["image", "compose", "systemd"])
def test_the_servers_command_line_is_legal(source):
    words = {
        "image": lambda: json.loads(of("CMD")[0]),
        "compose": lambda: COMPOSE["services"]["vidagent"]["command"],
        "systemd": lambda: unit()["Service"]["ExecStart"].split()[1:],
    }[source]()
    params = parsed(words)
    assert words[0] == "serve"
    assert params["port"] == 8080
    assert params["insecure_local"] is False
    assert params["host"] == ("127.0.0.1" if source == "systemd" else "0.0.0.0")


def test_the_commands_of_the_runbook_are_legal():
    called = re.findall(
        r"^(?:docker compose run [^\n]*?|.*/bin/)?vidagent (serve [^#\n]*)", text("README.md"), re.M
    )
    assert len(called) >= 5
    for line in called:
        words = line.split()
        assert {word for word in words if word.startswith("-")} <= legal(words), line
        parsed(words)


def test_vllm_is_started_as_vidagent_would():
    planned = command.vllm_command(command.find("qwen3-vl"), command.Options(host="0.0.0.0"))
    said = [word for flag in COMPOSE["services"]["vllm"]["command"] for word in flag.split("=", 1)]
    assert said == list(planned.argv[2:])


def test_the_model_is_within_reach_of_vidagent_alone():
    vllm, vidagent = COMPOSE["services"]["vllm"], COMPOSE["services"]["vidagent"]
    assert "ports" not in vllm
    assert vidagent["environment"]["VIDAGENT_BASE_URL"] == "http://vllm:8000/v1"
    assert vidagent["depends_on"]["vllm"]["condition"] == "service_healthy"
    assert all(port.startswith("127.0.0.1:") for port in vidagent["ports"])
    (device,) = vllm["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]


def test_every_volume_is_declared_and_kept_ones_are_the_images():
    named = {
        volume.split(":")[0]
        for service in COMPOSE["services"].values()
        for volume in service["volumes"]
        if not volume.startswith((".", "$"))
    }
    assert named == set(COMPOSE["volumes"])
    inside = {volume.split(":")[1] for volume in COMPOSE["services"]["vidagent"]["volumes"][:2]}
    assert inside == set(json.loads(of("VOLUME")[0]))


def test_stopping_leaves_time_for_the_drain():
    drain_s = ServerOptions().drain_s
    assert int(unit()["Service"]["TimeoutStopSec"]) > 2 * drain_s
    assert int(COMPOSE["services"]["vidagent"]["stop_grace_period"].rstrip("s")) > 2 * drain_s


def test_the_unit_is_hardened_and_has_its_folders():
    service = unit()["Service"]
    assert service["DynamicUser"] == service["NoNewPrivileges"] == service["PrivateTmp"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["StateDirectory"] == service["CacheDirectory"] == "vidagent"
    assert "VIDAGENT_SERVE_DATA_DIR=%S/vidagent VIDAGENT_CACHE_DIR=%C/vidagent" in text("vidagent.service")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_knows_every_line_of_the_unit(tmp_path):
    here = tmp_path / "vidagent.service"  # of a program that is there
    here.write_text(text("vidagent.service").replace("/opt/vidagent/bin/vidagent", shutil.which("true")))
    done = subprocess.run(["systemd-analyze", "verify", here], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("caddy") is None, reason="needs caddy")
def test_caddy_takes_its_file():
    adapt = ["caddy", "validate", "--adapter", "caddyfile", "--config", FOLDER / "Caddyfile"]
    done = subprocess.run(adapt, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_proxy_streams_and_takes_the_largest_upload():
    proxy = text("Caddyfile")
    assert proxy.count("{") == proxy.count("}")
    assert "flush_interval -1" in proxy
    assert int(re.search(r"max_size (\d+)MB", proxy)[1]) > ServerOptions().max_file_mb
    assert int(re.search(r"response_header_timeout (\d+)s", proxy)[1]) > ServerOptions().deadline_s + 30


def counted() -> set[str]:
    """Return the names in our own /metrics."""
    metrics = Metrics()
    metrics.watch("vidagent_running", "Questions being answered.", lambda: 0)
    metrics.watch("vidagent_disk_free_bytes", "Free on the disk of the data folder.", lambda: 0)
    metrics.request("GET", "/healthz", 200, 0.1)
    return set(re.findall(r"^([a-z_]+)(?:\{| )", metrics.text().decode(), re.MULTILINE)) | {
        "vidagent_answers_total"
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_the_rules_ask_for_what_is_counted(rule):
    expression = re.sub(r'"[^"]*"', "", rule["expr"])
    expression = re.sub(r"\{[^}]*\}|\[[^\]]*\]|(?:by|on) \([^)]*\)", "", expression)
    names = set(re.findall(r"[a-z_][a-z_0-9]*", re.sub(r"\b\d[\d.e]*", "", expression))) - WORDS_OF_PROMQL
    assert names
    assert {name for name in names if not OTHERS.fullmatch(name)} <= counted()
    assert rule["annotations"]["summary"]
    assert rule["labels"]["severity"] in {"page", "ticket"}


def test_the_runbook_says_what_every_number_means():
    told = set(re.findall(r"`((?:vidagent|process)_[a-z_]+)", text("README.md")))
    named = {re.sub(r"_(bucket|sum|count)$", "", name) for name in counted() if not name.endswith("_created")}
    assert named == told
