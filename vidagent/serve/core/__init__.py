"""Shared by the REST and MCP servers and the command line: questions, videos, limits and errors."""
