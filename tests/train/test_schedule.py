"""The schedule as a pure function."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsis.config.params import load_params
from rsis.config.runs import CurriculumSection, ObjectiveSection, TrainSection
from rsis.train.schedule import ScheduleState, advance, first_state, is_validated, out_of_reach


def section(**changes: Any) -> TrainSection:
    defaults: dict[str, Any] = {
        "epochs": 100,
        "batch_size": 2,
        "num_steps": 10,
        "lr": 1e-3,
        "lr_encoder": 1e-6,
    }
    return TrainSection(**(defaults | changes))


def walk(train: TrainSection, losses: list[float | None]) -> list[ScheduleState]:
    states = [first_state(train)]
    for loss in losses:
        states.append(advance(states[-1], loss, train))
    return states


def test_terms_start_at_their_epochs() -> None:
    train = section(objective=ObjectiveSection(class_from_epoch=2, stop_from_epoch=3), encoder_from_epoch=1)
    states = walk(train, [1.0, 0.9, 0.8, 0.7])
    assert [state.use_class for state in states] == [False, False, True, True, True]
    assert [state.use_stop for state in states] == [False, False, False, True, True]
    assert [state.update_encoder for state in states] == [False, True, True, True, True]
    assert [state.num_steps for state in states] == [10] * 5


def test_a_plateau_starts_a_term_early_and_resets_the_best_loss() -> None:
    train = section(objective=ObjectiveSection(class_patience=2, stop_patience=2))
    states = walk(train, [1.0, 1.0, 1.0, 5.0, 5.0, 5.0])
    assert [state.use_class for state in states] == [False, False, False, True, True, True, True]
    assert states[3].best_loss == math.inf
    assert states[4].best_loss == 5.0
    assert states[4].best_epoch == 3
    assert [state.use_stop for state in states] == [False] * 6 + [True]


def test_the_sequence_grows_with_time_or_at_plateaus() -> None:
    by_time = section(curriculum=CurriculumSection(start=2, every=2), num_steps=4)
    assert [state.num_steps for state in walk(by_time, [1.0] * 7)] == [2, 2, 3, 3, 4, 4, 4, 4]
    by_plateau = section(curriculum=CurriculumSection(start=2, patience=1), num_steps=3)
    assert [state.num_steps for state in walk(by_plateau, [1.0, 1.0, 1.0, 1.0])] == [2, 2, 3, 3, 3]


def test_objectness_waits_for_long_sequences() -> None:
    train = section(
        curriculum=CurriculumSection(start=4, every=1, stop_after=5), objective=ObjectiveSection(stop_from_epoch=0)
    )
    assert [state.use_stop for state in walk(train, [1.0] * 3)] == [False, False, True, True]


def test_early_stop_comes_last() -> None:
    train = section(objective=ObjectiveSection(class_patience=1), patience=2)
    states = walk(train, [1.0, 1.0, 2.0, 2.0, 2.0])
    assert [state.use_class for state in states] == [False, False, True, True, True, True]
    assert [state.finished for state in states] == [False] * 5 + [True]


def test_improvement_must_exceed_min_delta() -> None:
    states = walk(section(min_delta=0.1, patience=9), [1.0, 0.95, 0.85])
    assert [state.best_epoch for state in states[1:]] == [0, 0, 2]
    assert [state.stale for state in states[1:]] == [0, 1, 0]


def test_epochs_without_validation_change_nothing_but_the_epoch() -> None:
    states = walk(section(patience=1), [1.0, None, None])
    assert [(state.epoch, state.stale) for state in states] == [(0, 0), (1, 0), (2, 0), (3, 0)]


def test_nan_is_no_improvement() -> None:
    states = walk(section(patience=2), [float("nan"), float("nan")])
    assert states[-1].finished
    assert states[-1].best_epoch == -1


@given(st.lists(st.one_of(st.none(), st.floats(0, 10)), max_size=40), st.integers(1, 4), st.integers(1, 4))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_nothing_ever_goes_back(losses: list[float | None], patience: int, growth: int) -> None:
    train = section(
        epochs=30,
        curriculum=CurriculumSection(start=2, patience=growth),
        objective=ObjectiveSection(class_patience=patience, stop_patience=patience),
        patience=patience,
    )
    for before, after in zip(states := walk(train, losses), states[1:], strict=False):
        assert before.num_steps <= after.num_steps <= train.num_steps
        assert before.use_class <= after.use_class
        assert before.use_stop <= after.use_stop
        assert after.epoch == before.epoch + 1
        assert after.finished == (after.finished or after.epoch >= 30)


@given(st.integers(1, 40), st.integers(1, 60))
def test_epochs_are_validated_at_their_distance_and_at_the_end(epochs: int, every: int) -> None:
    train = section(epochs=epochs, validate_every=every)
    validated = [epoch for epoch in range(epochs) if is_validated(epoch, train)]
    assert validated == sorted({*range(every - 1, epochs, every), epochs - 1})


def test_every_run_of_the_configuration_comes_to_all_it_asks_for() -> None:
    params = load_params(Path(__file__).parents[2] / "params.yaml")
    assert {name: faults for name, run in params.runs.items() if (faults := out_of_reach(run.train))} == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"epochs": 1}, []),
        ({"epochs": 3, "objective": ObjectiveSection(class_from_epoch=2)}, []),
        (
            {"epochs": 2, "objective": ObjectiveSection(class_from_epoch=2, stop_from_epoch=9, stop_patience=1)},
            [
                "ends after 2 epochs and never trains the classes; lower objective.class_from_epoch, or raise epochs",
                "ends after 2 epochs and never trains the objectness; lower objective.stop_from_epoch, or raise epochs",
            ],
        ),
        ({"epochs": 3, "objective": ObjectiveSection(stop_from_epoch=9, stop_patience=1)}, []),
        ({"epochs": 4, "encoder_from_epoch": 3}, []),
        (
            {"epochs": 4, "encoder_from_epoch": 4},
            ["ends after 4 epochs and never trains the backbone; lower encoder_from_epoch, or raise epochs"],
        ),
        ({"epochs": 9, "curriculum": CurriculumSection(start=2, every=1)}, []),
        (
            {"epochs": 8, "curriculum": CurriculumSection(start=2, every=1)},
            [
                "ends after 8 epochs and runs 9 of 10 steps in the last epoch at most: the curriculum grows too "
                "slowly; raise curriculum.start, or lower num_steps, or raise epochs"
            ],
        ),
    ],
)
def test_what_a_short_training_cannot_come_to(changes: dict[str, Any], expected: list[str]) -> None:
    assert out_of_reach(section(**changes)) == expected
