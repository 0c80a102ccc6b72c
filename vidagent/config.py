"""Settings: defaults, then the user's `vidagent.toml`, then the working folder's, then `VIDAGENT_*`, then arguments."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

import platformdirs
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from vidagent.errors import BudgetError, UsageError
from vidagent.types import Budget, BudgetName

FILE_NAME = "vidagent.toml"
DecoderName = Literal["pyav", "decord", "torchcodec"]
EngineName = Literal["server", "vllm", "transformers"]
Dtype = Literal["float16", "bfloat16", "float32"]
Quantization = Literal["4bit"]
SpeechDevice = Literal["auto", "cpu", "cuda"]
SpeechCompute = Literal[
    "int8", "int8_float32", "int8_float16", "int8_bfloat16", "int16", "float16", "bfloat16", "float32"
]
"""Compute types of CTranslate2 (https://opennmt.net/CTranslate2/quantization.html)."""
Attention = Literal["eager", "sdpa", "flash_attention_2"]


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError("not an http or https address, such as http://127.0.0.1:8000/v1")
    return url.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_web_address)]
Name = Annotated[str, Field(min_length=1)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
"""A code of ISO 639, as Whisper names languages."""


class Settings(BaseSettings):
    """Settings of a run beside the video and the question; made by `load`."""

    model_config = SettingsConfigDict(
        env_prefix="VIDAGENT_",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        toml_file=FILE_NAME,
    )

    base_url: WebAddress | None = Field(
        default=None, description="base URL of an OpenAI-compatible server, such as http://127.0.0.1:8000/v1"
    )
    api_key: SecretStr | None = Field(default=None, description="the server's API key")
    model: Name | None = Field(
        default=None, description="the model's name on the server, or `signals` for the embedded model"
    )
    engine: EngineName = Field(
        default="server",
        description="where the model runs: on a server, or in this process by vllm or transformers",
    )
    engine_dtype: Dtype | None = Field(
        default=None, description="precision of a model in this process; None leaves it to the model"
    )
    engine_quantization: Quantization | None = Field(
        default=None,
        description="what the weights of a model in this process are cut down to; needs bitsandbytes and CUDA",
    )
    engine_attention: Attention | None = Field(
        default=None, description="attention of a model in this process by transformers; vllm chooses its own"
    )
    profile: Name | None = Field(
        default=None, description="a model profile by name, or the path of a .toml file"
    )
    transcribe_url: WebAddress | None = Field(
        default=None,
        description="base URL of an OpenAI-compatible speech server; sound is sent there, and nowhere without it",
    )
    transcribe_model: Name | None = Field(
        default=None, description="the speech model's name on that server, such as openai/whisper-large-v3"
    )
    transcribe_key: SecretStr | None = Field(default=None, description="the speech server's API key")
    embedding_base_url: WebAddress | None = Field(
        default=None,
        description="base URL of an OpenAI-compatible server of an embedding model that takes pictures; frames and "
        "lines are sent there to search by meaning, and nowhere without it",
    )
    embedding_model: Name | None = Field(
        default=None,
        description="the embedding model's name on that server, such as google/siglip2-base-patch16-224; None is the "
        "first that it lists",
    )
    embedding_api_key: SecretStr | None = Field(default=None, description="the embedding server's API key")
    speech_model: Name | None = Field(
        default=None,
        description="a Whisper model that transcribes speech in this process where no transcribe_url is set: a folder, "
        "a name such as small, or auto: small on a CPU, turbo on a GPU",
    )
    speech_device: SpeechDevice = Field(
        default="auto", description="where that model runs; auto takes a GPU if there is one"
    )
    speech_compute_type: SpeechCompute | None = Field(
        default=None, description="precision of that model; None is int8 on a CPU, float16 on a GPU"
    )
    speech_language: Language | None = Field(
        default=None,
        description="the language spoken, such as en; None leaves it to the speech model to find out",
    )
    reply_seconds: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="longest wait for one reply; None leaves it to the profile",
    )
    probe_server: bool = Field(
        default=True,
        description="whether a server that is new to vidagent is asked, by a few small requests, what it can do",
    )
    decoder: DecoderName = Field(default="pyav", description="the library that decodes videos")
    video_stream: int | None = Field(
        default=None,
        ge=0,
        description="number of the video stream in the file; None is the one that a player shows",
    )
    cache_dir: Path | None = Field(
        default=None, description="where indexes are kept; None is the user's cache folder"
    )
    cache_mb: float = Field(
        default=2000.0,
        gt=0,
        allow_inf_nan=False,
        description="most MB that indexes take together; those of the videos least recently used are dropped",
    )
    budget_seconds: float | None = None
    budget_steps: int | None = None
    budget_model_calls: int | None = None
    budget_prompt_tokens: int | None = None
    budget_computed_tokens: int | None = None
    budget_completion_tokens: int | None = None
    budget_thinking_tokens: int | None = None
    budget_frames: int | None = None

    def budget(self) -> Budget:
        """Return the limits of one question."""
        return Budget(**{name: getattr(self, f"budget_{name}") for name in get_args(BudgetName)})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, environment variables, the folder's file and the user's, in this order of precedence."""
        folder, user = (TomlConfigSettingsSource(settings_cls, path) for path in (FILE_NAME, user_file()))
        return init_settings, env_settings, folder, user


def user_file() -> Path:
    """Return the user's own settings file, in `VIDAGENT_CONFIG_DIR` if set, else the platform's folder."""
    folder = os.environ.get("VIDAGENT_CONFIG_DIR")
    path = (
        Path(folder).expanduser()
        if folder
        else Path(platformdirs.user_config_dir("vidagent", appauthor=False))
    )
    return path / FILE_NAME


def save_defaults(**values: str | None) -> Path:
    """Write settings into the user's own file, and return its path; None removes a setting.

    Other lines of the file stay as they are.

    Raises:
        UsageError: If the file cannot be written.
    """
    path = user_file()
    try:
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        kept = [line for line in lines if line.partition("=")[0].strip() not in values]
        set_to = [f"{name} = {json.dumps(value)}" for name, value in values.items() if value is not None]
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.with_suffix(".new")
        written.write_text("\n".join([*set_to, *kept, ""]), "utf-8")
        written.replace(path)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be written: {error}") from None
    return path


def load(**arguments: object) -> Settings:
    """Load the settings; an argument that is None counts as not given.

    Raises:
        UsageError: If a setting is unknown or has a bad value; the message names it, and where it may be set.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    try:
        settings = Settings(**given)  # type: ignore[arg-type]  # checked by pydantic
        if "base_url" in given and "api_key" not in given and _is_set_for_another(settings.base_url):
            settings = settings.model_copy(update={"api_key": None})
    except ValidationError as error:
        raise _explain(error) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{FILE_NAME} cannot be read: {error}") from None
    settings.budget()
    return settings


def _is_set_for_another(base_url: str | None) -> bool:
    """Tell whether the key of the environment or a file was set beside another base URL."""
    try:
        set_for = Settings().base_url
    except ValidationError:  # of a setting that an argument replaces
        return False
    return set_for is not None and set_for != base_url


def _explain(error: ValidationError) -> UsageError:
    lines, kinds = [], set()
    for item in error.errors(include_url=False):
        name = str(item["loc"][0]) if item["loc"] else "settings"
        kinds.add(name.startswith("budget_") and item["type"] != "extra_forbidden")
        if item["type"] == "extra_forbidden":
            lines.append(f"there is no setting {name!r}; there are {', '.join(Settings.model_fields)}")
            continue
        got = "" if name in {"api_key", "transcribe_key", "embedding_api_key"} else f"; got {item['input']!r}"
        wrong = item["msg"].removeprefix("Value error, ")
        lines.append(f"setting {name} ({_sources(name)}): {wrong[0].lower()}{wrong[1:]}{got}")
    return (BudgetError if kinds == {True} else UsageError)("; ".join(dict.fromkeys(lines)))


def _sources(name: str) -> str:
    return f"argument, VIDAGENT_{name.upper()}, or {FILE_NAME}"
