"""The MCP server: tools that look at videos and ask about them."""
