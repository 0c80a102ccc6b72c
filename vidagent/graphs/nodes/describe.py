"""Describe: have the model say once what the overview shows, for the later turns and questions about the video."""

from __future__ import annotations

from vidagent.agents.client.client import ReplyError
from vidagent.agents.prompting.messages import describe_messages
from vidagent.agents.prompting.replies import Description
from vidagent.errors import BudgetSpent
from vidagent.graphs.budget import StepMeter
from vidagent.graphs.nodes.survey import GRID, OVERVIEW, SCENES, described
from vidagent.graphs.policy import LEAST_CALLS
from vidagent.graphs.progress import Progress
from vidagent.graphs.state import Run, Update


def wanted(progress: Progress, run: Run, step: int) -> bool:
    """Tell whether the overview is to be described beside the looks of this turn: after the first one only."""
    new = any(entry.id == OVERVIEW and entry.observation is None for entry in progress.entries)
    left = run.meter.allowance(keep={"model_calls": LEAST_CALLS}).covers({"model_calls": 1})
    return step == 1 and run.client.profile.overview_again == "text" and new and left


async def describe(progress: Progress, run: Run, meter: StepMeter) -> Update:
    """Describe the overview, and keep the description with the index; the run goes on without one."""
    [entry] = progress.entries
    grids = [run.store.load(GRID.validate_python(grid)) for grid in progress.state.get("grids", [])]
    run.tell("step", "describing the overview", "survey")
    try:
        told = await run.client.ask("look", describe_messages(grids), Description, meter, shown="plan")
    except ReplyError as error:
        run.tell("note", f"the overview is not described: {error}", "survey")
        return {}
    except BudgetSpent as spent:
        if spent.name == "seconds":
            raise
        return {}
    run.index.keep_description(run.client.name, SCENES.dump_python(told.scenes, mode="json"))
    return {"ledger": [described(entry, told.scenes).to_dict()]}
