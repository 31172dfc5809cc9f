"""The splits that a training reads. A data set may have no split val: then it is trained without validation."""

import logging
from collections.abc import Container
from pathlib import Path

from rsis.config.runs import RunSection
from rsis.config.training import TrainSection
from rsis.data.prepared.file import PreparedSplit
from rsis.errors import UserError

_LOG = logging.getLogger(__name__)


def open_splits(processed: Path) -> dict[str, PreparedSplit]:
    """Return the prepared splits "train" and, if the data set has it, "val".

    Args:
        processed: Folder of the prepared data. The preparation writes it as a whole, so a split that is not there is
            none of the data set's.

    Raises:
        UserError: A file is missing or damaged.
    """
    names = ("train", "val") if (processed / "val.h5").exists() else ("train",)
    return {name: PreparedSplit(processed / f"{name}.h5") for name in names}


def check_validation(name: str, run: RunSection, splits: Container[str]) -> None:
    """Say what a training lacks whose data set has no split val.

    Args:
        name: Name of the run.
        run: Its section of params.yaml.
        splits: The names of the splits.

    Raises:
        UserError: `train.keep` is "best", but no validation tells which weights are the best.
    """
    if "val" in splits:
        return
    lacking = f"{name}: its data set {run.dataset} has no split val"
    if run.train.keep == "best":
        raise UserError(
            f"{lacking}, so no weights are known to be the best; set train.keep of the run to last, or add a split val "
            f"and run `rsis prepare {run.dataset}`"
        )
    _LOG.info("%s: it is trained without validation", lacking)
    idle = _waiting_for_plateaus(run.train)
    if idle:
        _LOG.warning("%s, so %s will have no effect; give an epoch instead, or add a split val", lacking, idle)


def _waiting_for_plateaus(section: TrainSection) -> str:
    """Return the keys that wait for validations without improvement, as text."""
    values = {
        "patience": section.patience,
        "curriculum.patience": section.curriculum.patience if section.curriculum else None,
        "objective.class_patience": section.objective.class_patience,
        "objective.stop_patience": section.objective.stop_patience,
    }
    return ", ".join(f"train.{key}" for key, value in values.items() if value is not None)
