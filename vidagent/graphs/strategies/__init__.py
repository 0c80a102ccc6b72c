"""Looks that code proposes."""

from vidagent.graphs.state import Stage
from vidagent.graphs.strategies.adjacent import Adjacent
from vidagent.graphs.strategies.edges import Edges
from vidagent.graphs.strategies.gaps import Gaps
from vidagent.graphs.strategies.shots import Shots
from vidagent.graphs.strategies.strategy import Strategy
from vidagent.graphs.strategies.sweep import Sweep

_SWEEP = Sweep()
STRATEGIES: dict[Stage, tuple[Strategy, ...]] = {
    "searching": (_SWEEP, Shots()),
    "drafted": (Adjacent(), _SWEEP, Gaps()),
    "reviewed": (),
    "verified": (Edges(),),
}
"""Strategies of each stage, in the order in which they are asked: of two that would look, the first one does."""
BY_NAME = {strategy.name: strategy for stage in STRATEGIES.values() for strategy in stage}
