"""What vidagent costs in time and memory: the benchmarks that `python -m benchmarks` runs."""
