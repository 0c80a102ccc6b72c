"""The HTTP server: LangServe routes, files, jobs and an OpenAI-compatible door over one and the same question."""
