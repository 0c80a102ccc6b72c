"""`vidagent eval`: public benchmarks read, asked directly and by the agent at equal frames, and scored."""
