"""The REST server: LangServe routes, files, jobs, OpenAI-compatible chat completions and the web page."""
