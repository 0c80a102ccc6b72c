"""Choice of what transcribes speech: the server, if one is set, else the model in this process."""

from __future__ import annotations

from vidagent.agents.speech.server import REPLY_S, TranscriptionClient
from vidagent.agents.speech.whisper import Whisper, local_model
from vidagent.config import Settings
from vidagent.errors import UsageError
from vidagent.video.index.transcript import Ear


def ear_of(settings: Settings) -> Ear | None:
    """Return what transcribes speech, or None if nothing is set; nothing is sent or loaded yet.

    Raises:
        UsageError: If a server is set without a model, or the model in this process cannot be used.
    """
    if settings.transcribe_url is None:
        name = settings.speech_model
        return None if name is None else local_model(name, settings)
    if settings.transcribe_model is None:
        raise UsageError(
            "setting transcribe_model (VIDAGENT_TRANSCRIBE_MODEL, or vidagent.toml) is needed beside transcribe_url: "
            "the name of a speech model on that server, such as openai/whisper-large-v3"
        )
    key = settings.transcribe_key.get_secret_value() if settings.transcribe_key else None
    return TranscriptionClient(
        settings.transcribe_url,
        settings.transcribe_model,
        key,
        settings.reply_seconds or REPLY_S,
        settings.speech_language,
    )


def needed_ear(settings: Settings) -> Ear:
    """Return what transcribes speech.

    Raises:
        UsageError: If nothing is set, and as `ear_of`.
    """
    ear = ear_of(settings)
    if ear is None:
        raise UsageError(
            "transcribing needs a speech model: set speech_model (VIDAGENT_SPEECH_MODEL, or vidagent.toml) to auto, a "
            "name such as small, or a folder, with pip install 'vidagent[speech]'; or set transcribe_url "
            "(VIDAGENT_TRANSCRIBE_URL) to the base URL of an OpenAI-compatible server, such as "
            "http://127.0.0.1:8000/v1"
        )
    return ear


def check_language(ear: Ear) -> None:
    """Check that the model in this process knows the language that is set; a server is asked with the sound.

    Raises:
        UsageError: If it does not.
        ModelError: If it cannot be loaded.
    """
    if isinstance(ear, Whisper):
        ear.check_language()
