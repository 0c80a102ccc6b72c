"""Shared by the REST and MCP servers: questions, videos, limits, storage and errors.

It needs the extra `serve`, except for `download` and `http/options`, which the command line uses without it.
"""
