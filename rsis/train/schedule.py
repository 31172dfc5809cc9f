"""The training schedule as a pure function: which loss terms are switched on, and how many decoder steps are run.

The paper starts with the mask term, adds the class term and then the objectness term, and on some data sets
increases the number of steps (section 3.3). The next state depends only on the present state, the section of
params.yaml and the last validation loss, so the schedule can be tested without training and stored in a checkpoint.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

from rsis.config.runs import TrainSection

Event = Literal["grew", "class", "stop", "early_stop"]


@dataclass(frozen=True)
class ScheduleState:
    """The state of the schedule between two epochs.

    Attributes:
        epoch: The next epoch, from 0.
        num_steps: Most decoder steps that it runs.
        use_class: Whether its total loss includes the class term.
        use_stop: Whether its total loss includes the objectness term.
        update_encoder: Whether it updates the weights of the backbone.
        best_loss: Least validation loss since the objective last changed.
        best_epoch: The epoch of `best_loss`; -1 = none yet.
        stale: Number of validations without improvement since `best_epoch`.
        finished: Whether the training has ended.
    """

    epoch: int
    num_steps: int
    use_class: bool
    use_stop: bool
    update_encoder: bool
    best_loss: float = math.inf
    best_epoch: int = -1
    stale: int = 0
    finished: bool = False


def first_state(section: TrainSection) -> ScheduleState:
    """Return the state before epoch 0."""
    steps = section.curriculum.start if section.curriculum else section.num_steps
    empty = ScheduleState(0, min(steps, section.num_steps), use_class=False, use_stop=False, update_encoder=False)
    return _by_epoch(empty, section)


def advance(state: ScheduleState, val_loss: float | None, section: TrainSection) -> ScheduleState:
    """Return the state after an epoch.

    Args:
        state: Before the epoch.
        val_loss: The total validation loss after it; None when the epoch was not validated.
        section: Thresholds and patiences. At a plateau, the first possible of these changes is made, and no other:
            one more decoder step, the class term, the objectness term, the end of the training.

    Returns:
        The next state. When the objective changes, at its epoch or at a plateau, `best_loss` is reset, since losses
        of different objectives cannot be compared.
    """
    after = state
    if val_loss is not None:
        if val_loss < state.best_loss - section.min_delta:
            after = replace(state, best_loss=val_loss, best_epoch=state.epoch, stale=0)
        else:
            after = _on_plateau(replace(state, stale=state.stale + 1), section)
    after = _by_epoch(replace(after, epoch=state.epoch + 1), section)
    if _objective(after) != _objective(state):
        after = replace(after, best_loss=math.inf, best_epoch=-1, stale=0)
    over = section.epochs is not None and after.epoch >= section.epochs
    return replace(after, finished=after.finished or over)


def is_validated(epoch: int, section: TrainSection) -> bool:
    """Say whether an epoch, counted from 0, ends with a validation; the last of `section.epochs` always does."""
    return (epoch + 1) % section.validate_every == 0 or epoch + 1 == section.epochs


def out_of_reach(section: TrainSection, *, validated: bool = True) -> list[str]:
    """List what is configured but cannot happen within `section.epochs`, a line each; empty for a full training.

    The schedule is run with a validation loss that never improves: plateaus then come as early as possible.

    Args:
        section: The training.
        validated: Whether there is a split to validate on; without it there are no plateaus.
    """
    if section.epochs is None:
        return []
    state = first_state(section)
    for epoch in range(section.epochs - 1):
        state = advance(state, 1.0 if validated and is_validated(epoch, section) else None, section)
    objective, found = section.objective, []
    if state.num_steps < section.num_steps:
        found.append(
            f"runs {state.num_steps} of {section.num_steps} steps in the last epoch at most: the curriculum grows too "
            "slowly; raise curriculum.start, or lower num_steps"
        )
    for name, from_epoch, patience, in_force in (
        ("class", objective.class_from_epoch, objective.class_patience, state.use_class),
        ("stop", objective.stop_from_epoch, objective.stop_patience, state.use_stop),
    ):
        if not in_force and (from_epoch is not None or patience is not None):
            what = {"class": "the classes", "stop": "the objectness"}[name]
            found.append(f"never trains {what}; lower objective.{name}_from_epoch")
    if not state.update_encoder:
        found.append("never trains the backbone; lower encoder_from_epoch")
    return [f"ends after {section.epochs} epochs and {fault}, or raise epochs" for fault in found]


def _on_plateau(state: ScheduleState, section: TrainSection) -> ScheduleState:
    objective, growth = section.objective, section.curriculum

    def waited(patience: int | None) -> bool:
        return patience is not None and state.stale >= patience

    if growth and waited(growth.patience) and state.num_steps < section.num_steps:
        return replace(state, num_steps=state.num_steps + 1)
    if waited(objective.class_patience) and not state.use_class:
        return replace(state, use_class=True)
    if waited(objective.stop_patience) and not state.use_stop and _long_enough(state, section):
        return replace(state, use_stop=True)
    return replace(state, finished=True) if waited(section.patience) else state


def _by_epoch(state: ScheduleState, section: TrainSection) -> ScheduleState:
    """Apply the changes that depend only on the number of the next epoch."""
    objective, growth = section.objective, section.curriculum
    steps = state.num_steps
    if growth and growth.every is not None:
        steps = max(steps, min(section.num_steps, growth.start + state.epoch // growth.every))
    grown = replace(state, num_steps=steps)
    stop_due = objective.stop_from_epoch is not None and state.epoch >= objective.stop_from_epoch
    class_due = objective.class_from_epoch is not None and state.epoch >= objective.class_from_epoch
    return replace(
        grown,
        use_class=state.use_class or class_due,
        use_stop=state.use_stop or (stop_due and _long_enough(grown, section)),
        update_encoder=state.epoch >= section.encoder_from_epoch,
    )


def _long_enough(state: ScheduleState, section: TrainSection) -> bool:
    return section.curriculum is None or state.num_steps > section.curriculum.stop_after


def _objective(state: ScheduleState) -> tuple[int, bool, bool]:
    return state.num_steps, state.use_class, state.use_stop
