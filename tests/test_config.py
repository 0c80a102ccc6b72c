"""Settings: where they come from, which wins, and what a bad one says."""

import pytest

from vidagent.config import load
from vidagent.errors import BudgetError, UsageError
from vidagent.types import Budget


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_defaults():
    settings = load()
    assert (settings.base_url, settings.model, settings.api_key, settings.decoder) == (
        None,
        None,
        None,
        "pyav",
    )
    assert settings.budget() == Budget()


def test_arguments_over_environment_over_file(folder, monkeypatch):
    (folder / "vidagent.toml").write_text(
        'model = "file"\nprofile = "file"\nbudget_steps = 3\ndecoder = "decord"'
    )
    monkeypatch.setenv("VIDAGENT_MODEL", "environment")
    monkeypatch.setenv("VIDAGENT_PROFILE", "environment")
    monkeypatch.setenv("VIDAGENT_BUDGET_FRAMES", "64")
    settings = load(model="argument", profile=None)
    assert settings.model == "argument"
    assert settings.profile == "environment"
    assert settings.decoder == "decord"
    assert settings.budget() == Budget(steps=3, frames=64)


def test_an_empty_variable_is_not_set(monkeypatch):
    monkeypatch.setenv("VIDAGENT_BASE_URL", "")
    assert load().base_url is None


def test_the_key_is_not_shown(monkeypatch):
    monkeypatch.setenv("VIDAGENT_API_KEY", "sk-secret")
    settings = load()
    assert "sk-secret" not in f"{settings!r} {settings}"
    assert settings.api_key.get_secret_value() == "sk-secret"


def test_the_slash_after_a_base_url_is_dropped():
    assert load(base_url="http://host:8000/v1/").base_url == "http://host:8000/v1"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"base_url": "localhost:8000"},
         "setting base_url (argument, VIDAGENT_BASE_URL, or vidagent.toml): not an http or https address, "
         "such as http://127.0.0.1:8000/v1; got 'localhost:8000'"),
        ({"base_url": "http://127.0.0.1:99999/v1"}, "port out of range 0-65535; got"),
        ({"base_url": "http://127.0.0.1:0/v1"}, "not an http or https address"),
        ({"decoder": "opencv"}, "'pyav', 'decord' or 'torchcodec'; got 'opencv'"),
        ({"colour": "red"}, "there is no setting 'colour'; there are base_url, "),
        ({"reply_seconds": 0}, "setting reply_seconds"),
        ({"model": ""}, "setting model"),
    ],
)  # fmt: skip
def test_a_bad_value_is_named(arguments, words):
    with pytest.raises(UsageError) as caught:
        load(**arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_a_bad_budget_is_a_budget_error(monkeypatch, value):
    monkeypatch.setenv("VIDAGENT_BUDGET_FRAMES", value)
    with pytest.raises(BudgetError, match=r"frames.*got "):
        load()


def test_no_thinking_is_a_budget():
    assert load(budget_thinking_tokens=0).budget() == Budget(thinking_tokens=0)


@pytest.mark.parametrize("text", ["model = ", 'nothing = "known"', "model = 3"])
def test_a_bad_file_is_named(folder, text):
    (folder / "vidagent.toml").write_text(text)
    with pytest.raises(UsageError, match=r"vidagent\.toml|no setting 'nothing'"):
        load()


def test_a_bad_key_is_not_repeated():
    with pytest.raises(UsageError) as caught:
        load(api_key=["sk-secret"])
    assert "sk-secret" not in str(caught.value)
