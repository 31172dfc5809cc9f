"""What the networks of a report's runs are and cost, where they are not all of one kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rsis.report.tables.protocol import ScoredRun


@dataclass(frozen=True)
class NetworkRow:
    """A run's network, as it is printed; "-": not recorded.

    Attributes:
        run: Name of the run.
        network: What it is, see `ScoredRun.network`.
        backbone: torchvision's name of it.
        parameters: Their number, in millions.
        minutes: Of the training, on `machine`.
        machine: What it was trained on.
    """

    run: str
    network: str
    backbone: str
    parameters: str
    minutes: str
    machine: str


def network_row(run: ScoredRun, history: Mapping[str, Any], machine: str) -> NetworkRow:
    """Return a run's row.

    Args:
        run: The run.
        history: Content of the training's run.json.
        machine: What the run was trained on, "" if that is not recorded.
    """
    parameters, seconds = history.get("parameters"), history.get("seconds")
    return NetworkRow(
        run=run.run,
        network=run.network,
        backbone=run.run_config.model.backbone,
        parameters="-" if parameters is None else f"{parameters / 1e6:.1f}",
        minutes="-" if seconds is None else f"{seconds / 60:.1f}",
        machine=machine or "-",
    )


def network_table(rows: Sequence[NetworkRow]) -> tuple[NetworkRow, ...]:
    """Return the rows of a table, none where all runs have the same kind of network."""
    return tuple(rows) if len({row.network for row in rows}) > 1 else ()
