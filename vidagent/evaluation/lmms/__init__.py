"""The agent as a model of lmms-eval (https://github.com/EvolvingLMMs-Lab/lmms-eval), found by an entry point."""
