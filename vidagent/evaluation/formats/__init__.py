"""Readers of public benchmarks."""
