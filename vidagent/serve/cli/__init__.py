"""The command line: `vidagent`."""
