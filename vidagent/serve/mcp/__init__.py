"""The MCP server: videos for assistants that call tools."""
