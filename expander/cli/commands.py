"""Where the function of each command is."""

from __future__ import annotations

from expander.cli.lazy import Place, group

DATA = {
    "check": "expander.cli.data:check",
    "prepare": "expander.cli.prepare:prepare",
}
FINETUNE = {
    "charades": "expander.cli.charades:charades",
    "ava": "expander.cli.ava:ava",
}
STORE = {
    "upgrade": "expander.cli.store:upgrade",
    "check": "expander.cli.store:check",
}
COMMANDS: dict[str, Place] = {
    "plan": "expander.cli.plan:plan",
    "cost": "expander.cli.plan:cost",
    "search": "expander.cli.search:search",
    "resume": "expander.cli.search:resume",
    "retry": "expander.cli.search:retry",
    "fork": "expander.cli.fork:fork",
    "status": "expander.cli.status:status",
    "export": "expander.cli.export:export",
    "train": "expander.cli.train:train",
    "report": "expander.cli.export:report",
    "convert": "expander.cli.convert:convert",
    "test": "expander.cli.train:evaluate",
    "data": group("Looks after the videos, before a search trains on them.", DATA),
    "finetune": group("Trains an instance further, from its weights, for another task.", FINETUNE),
    "store": group("Look after the SQL store.", STORE),
}

app = group("Searches for efficient video networks by expanding a tiny 2D one, axis by axis (X3D).", COMMANDS)
