"""A running vLLM server, asked by plain HTTP: nothing of vidagent stands between a test and it."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

Messages = Sequence[Mapping[str, Any]]

_WAIT_S = 300.0
_METRIC = re.compile(r"^(?P<name>[\w:]+)(?:\{[^}]*\})? (?P<value>\S+)$", re.MULTILINE)


class Server:
    """What tests ask of a server.

    Args:
        root: Its address, without `/v1`.
        model: The name of its model.

    Attributes:
        url: The base URL for clients, ending in `/v1`.
    """

    def __init__(self, root: str, model: str) -> None:
        """Keep where it is; nothing is asked yet."""
        self.root, self.model = root, model
        self.url = f"{root}/v1"

    def raw(self, body: Mapping[str, Any], path: str = "/v1/chat/completions") -> dict[str, Any]:
        """Send a JSON body, the model's name added where it has none, and return the reply's JSON.

        An error is returned as well: vLLM's are `{"error": {"message": …, "code": the HTTP status, …}}`.
        """
        data = json.dumps({"model": self.model, **body}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.root + path, data, headers)
        try:
            with urllib.request.urlopen(request, timeout=_WAIT_S) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)

    def tokens(self, said: str | Messages, **fields: Any) -> list[int]:
        """Return the tokens of a text, or of messages as the server would prompt the model with them.

        Args:
            said: A text, which gets no marks around it, or messages; their media become as many tokens as they cost.
            fields: Further fields of the request, such as `media_io_kwargs` and `tools`.
        """
        text = {"prompt": said, "add_special_tokens": False}
        reply = self.raw({**(text if isinstance(said, str) else {"messages": said}), **fields}, "/tokenize")
        assert "tokens" in reply, reply
        return reply["tokens"]

    def tokenize(self, said: str | Messages, **fields: Any) -> int:
        """Count the tokens of a text or of messages."""
        return len(self.tokens(said, **fields))

    def detokenize(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens."""
        return self.raw({"tokens": list(tokens)}, "/detokenize")["prompt"]

    def prompt(self, messages: Messages, **fields: Any) -> str:
        """Return the text of the prompt that the server would make of messages."""
        return self.detokenize(self.tokens(messages, **fields))

    def metric(self, name: str) -> float:
        """Return a number of `/metrics`, such as `vllm:num_requests_running`, summed over its labels."""
        with urllib.request.urlopen(f"{self.root}/metrics", timeout=_WAIT_S) as reply:
            text = reply.read().decode()
        return sum(float(found["value"]) for found in _METRIC.finditer(text) if found["name"] == name)
