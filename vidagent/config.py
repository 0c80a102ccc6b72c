"""Settings: defaults, then `vidagent.toml` in the working folder, then `VIDAGENT_*`, then arguments."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

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
Attention = Literal["eager", "sdpa", "flash_attention_2"]


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError("not an http or https address, such as http://127.0.0.1:8000/v1")
    return url.rstrip("/")


WebAddress = Annotated[str, AfterValidator(_web_address)]
Name = Annotated[str, Field(min_length=1)]


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
    reply_seconds: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="longest wait for one reply; None leaves it to the profile",
    )
    decoder: DecoderName = Field(default="pyav", description="the library that decodes videos")
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
        """Read arguments, environment variables and `vidagent.toml`, in this order of precedence."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load(**arguments: object) -> Settings:
    """Load the settings; an argument that is None counts as not given.

    Raises:
        UsageError: If a setting is unknown or has a bad value; the message names it, and where it may be set.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    try:
        settings = Settings(**given)  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        raise _explain(error) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{FILE_NAME} cannot be read: {error}") from None
    settings.budget()
    return settings


def _explain(error: ValidationError) -> UsageError:
    lines, kinds = [], set()
    for item in error.errors(include_url=False):
        name = str(item["loc"][0]) if item["loc"] else "settings"
        kinds.add(name.startswith("budget_") and item["type"] != "extra_forbidden")
        if item["type"] == "extra_forbidden":
            lines.append(f"there is no setting {name!r}; there are {', '.join(Settings.model_fields)}")
            continue
        got = "" if name in {"api_key", "transcribe_key"} else f"; got {item['input']!r}"
        wrong = item["msg"].removeprefix("Value error, ")
        lines.append(f"setting {name} ({_sources(name)}): {wrong[0].lower()}{wrong[1:]}{got}")
    return (BudgetError if kinds == {True} else UsageError)("; ".join(dict.fromkeys(lines)))


def _sources(name: str) -> str:
    return f"argument, VIDAGENT_{name.upper()}, or {FILE_NAME}"
