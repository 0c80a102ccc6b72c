"""Models in this process: `vllm.LLM` and transformers behind the interface of the server's chat model."""
