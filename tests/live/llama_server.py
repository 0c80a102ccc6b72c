"""llama.cpp's own HTTP server, from the package xllamacpp: `python -m tests.live.llama_server TEXT VISION CONTEXT`.

Serves the two GGUF files of a model, prints its address, and ends with its input.
"""

from __future__ import annotations

import sys

import xllamacpp


def parameters(text: str, vision: str, context: int) -> xllamacpp.CommonParams:
    """Return what `llama-server --jinja -m TEXT --mmproj VISION -c CONTEXT -np 1` stands for."""
    params = xllamacpp.CommonParams()
    params.model.path = text
    params.mmproj.path = vision
    params.model_alias = {"tiny-gguf"}
    params.n_ctx = context
    params.n_parallel = 1
    params.use_jinja = True
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    return params


def main() -> None:
    """Serve until the input ends."""
    server = xllamacpp.Server(parameters(sys.argv[1], sys.argv[2], int(sys.argv[3])))
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
