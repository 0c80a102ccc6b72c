"""The model of a batch: connected once, shared by all its questions."""

from __future__ import annotations

from dataclasses import dataclass

from vidagent.agents.client.client import ModelClient
from vidagent.agents.direct.vlm import VLM
from vidagent.agents.server import model_choice
from vidagent.config import Settings
from vidagent.errors import ModelError
from vidagent.serve.batch.servers import BalancedChat
from vidagent.serve.batch.setup import Setup


@dataclass(frozen=True, slots=True)
class Model:
    """One model, for the agent and for direct questions.

    Args:
        client: As the agent asks it.
        vlm: As it is asked directly; None for the embedded model, which looks once.
        about: Which one it is, and where, in a line.
    """

    client: ModelClient
    vlm: VLM | None
    about: str


def connect(setup: Setup) -> Model:
    """Find the model that the setup leads to.

    Raises:
        ModelError: If no server can be reached where one is needed to know the model, or none serves one.
        UsageError: If the settings name a profile that is not there.
    """
    settings = setup.settings
    urls = list(setup.base_urls) or ([settings.base_url] if settings.base_url else [])
    if not urls:
        chosen = model_choice.choose(settings)
        if chosen.where is None:
            return Model(chosen, None, model_choice.describe(chosen))
        urls, name = [chosen.where], chosen.name
    else:
        name = settings.model or _first_model(urls, settings)
    from vidagent.agents.client import chat_model  # a second of imports that the embedded model does without

    key = settings.api_key.get_secret_value() if settings.api_key else None
    balanced = BalancedChat.over([chat_model.connect(url, name, api_key=key) for url in urls], setup.calls)
    profile = model_choice.profile_for(name, settings)
    others = f" and {len(urls) - 1} more" if len(urls) > 1 else ""
    client = ModelClient(balanced, profile)
    about = model_choice.describe(client).replace(" (profile", f"{others} (profile")
    return Model(client, VLM(balanced, profile, concurrency=setup.concurrency), about)


def _first_model(urls: list[str], settings: Settings) -> str:
    """Return the first model of the first server that answers."""
    wrong: ModelError | None = None
    for url in urls:
        try:
            return model_choice.first_model(url, settings)
        except ModelError as error:
            wrong = wrong or error
    raise wrong or ModelError("no server was named")
