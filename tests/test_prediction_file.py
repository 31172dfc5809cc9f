"""Tests of the prediction file: the documented format, exact round trips, errors that name the fault."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsis import prediction_file
from rsis.errors import UserError
from rsis.masks import decode_rle, encode_rle, rle_runs
from rsis.prediction_file import (
    ImagePrediction,
    InstancePrediction,
    PredictionFile,
    read_predictions,
    write_predictions,
)

LAST_COLUMN = InstancePrediction({"size": [2, 3], "counts": "42"}, class_probs=(0.5,), objectness=0.9, step=0)
EXAMPLE = PredictionFile(
    dataset="plants",
    run="demo",
    split="test",
    checkpoint="9f86d0...",
    class_names=("leaf",),
    parameters={"mask_threshold": 0.5},
    images=(
        ImagePrediction("plant001", (2, 3), (LAST_COLUMN,), (0.9, 0.2)),
        ImagePrediction("plant002", (2, 3), (), (0.1,)),
    ),
)


def test_worked_example_of_the_format_is_what_the_module_reads_and_means(tmp_path: Path) -> None:
    text = prediction_file.__doc__ or ""
    path = tmp_path / "demo.json"
    path.write_text(text[text.index('{"schema_version"') :])
    assert read_predictions(path) == EXAMPLE
    assert decode_rle(LAST_COLUMN.rle).tolist() == [[False, False, True], [False, False, True]]
    assert (LAST_COLUMN.class_id, LAST_COLUMN.class_prob) == (1, 0.5)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.data())
def test_reading_gives_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    probability = st.floats(0, 1)
    images = []
    for number in range(data.draw(st.integers(0, 3))):
        size = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
        masks = data.draw(st.lists(hnp.arrays(bool, size), max_size=3))
        instances = tuple(
            InstancePrediction(
                encode_rle(mask), data.draw(st.tuples(probability, probability)), data.draw(probability), t
            )
            for t, mask in enumerate(masks)
        )
        said = data.draw(st.lists(probability, max_size=3).map(tuple))
        images.append(ImagePrediction(f"image {number}", size, instances, said))
    file = replace(EXAMPLE, class_names=("a", "b"), images=tuple(images))
    path = tmp_path_factory.mktemp("round") / "trip.json"
    write_predictions(path, file)
    assert read_predictions(path) == file


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    write_predictions(tmp_path / "a.json", replace(EXAMPLE, parameters={"x": 1, "y": 2}))
    write_predictions(tmp_path / "b.json", replace(EXAMPLE, parameters={"y": 2, "x": 1}))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_numpy_numbers_are_written_as_numbers(tmp_path: Path) -> None:
    numbers: dict[str, Any] = {"class_probs": (np.float32(0.25),), "objectness": np.float64(0.5), "step": np.int64(3)}
    instance = replace(LAST_COLUMN, **numbers)
    write_predictions(tmp_path / "a.json", replace(EXAMPLE, images=(ImagePrediction("p", (2, 3), (instance,)),)))
    assert read_predictions(tmp_path / "a.json").images[0].instances == (
        replace(LAST_COLUMN, class_probs=(0.25,), objectness=0.5, step=3),
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_probability_that_is_no_number_is_refused_and_the_old_file_stays(tmp_path: Path, value: float) -> None:
    path = tmp_path / "demo.json"
    write_predictions(path, EXAMPLE)
    before = path.read_bytes()
    bad = ImagePrediction("plant009", (2, 3), (replace(LAST_COLUMN, objectness=value),))
    with pytest.raises(UserError, match=r"plant009, step 0.*diverged"):
        write_predictions(path, replace(EXAMPLE, images=(bad,)))
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["demo.json"]


def _document() -> dict[str, Any]:
    instance = {"rle": {"size": [2, 3], "counts": "42"}, "class_probs": [0.5], "objectness": 0.9, "step": 0}
    return {
        "schema_version": 3,
        "dataset": "plants",
        "run": "demo",
        "split": "test",
        "checkpoint": "9f",
        "class_names": ["leaf"],
        "parameters": {},
        "images": [{"image_id": "plant001", "size": [2, 3], "objectness": [0.9], "instances": [instance]}],
    }


def _instance(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["images"][0]["instances"][0]
    return found


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "other version": (lambda d: d.update(schema_version=1), "schema_version is 1"),
    "other version, other keys": (lambda d: (d.update(schema_version=1), d.pop("run")), "schema_version is 1"),
    "unknown split": (lambda d: d.update(split="holdout"), "split is 'holdout'"),
    "missing key": (lambda d: d.pop("checkpoint"), "checkpoint is missing"),
    "unknown key": (lambda d: d.update(comment="hello"), "comment is 'hello'"),
    "two images of one id": (lambda d: d["images"].append(d["images"][0]), "'plant001' is in the file twice"),
    "mask of another size": (
        lambda d: d["images"][0].update(size=[3, 2]),
        r"mask is of size \(2, 3\).*image is \(3, 2\)",
    ),
    "short mask": (lambda d: _instance(d)["rle"].update(counts="41"), "runs of 5 pixels for a mask of 6"),
    "truncated mask": (lambda d: _instance(d)["rle"].update(counts="42P"), "its mask has"),
    "mask of wrong text": (lambda d: _instance(d)["rle"].update(counts="4 2"), "its mask has a character"),
    "no class": (lambda d: _instance(d).update(class_probs=[]), "class_probs is ()"),
    "class outside the list": (
        lambda d: _instance(d).update(class_probs=[0.5, 0.5]),
        "has 2 class_probs",
    ),
    "score not finite": (lambda d: _instance(d).update(objectness=float("nan")), "objectness is nan"),
    "score of infinity": (lambda d: _instance(d).update(class_probs=[float("inf")]), "class_probs.0 is inf"),
    "more steps than a network may run": (lambda d: _instance(d).update(step=10**30), "step is 1000"),
    "a step beyond 64 bits": (lambda d: _instance(d).update(step=2**63), "step is 9223372036854775808"),
    "endless objectness": (lambda d: d["images"][0].update(objectness=[0.5] * 10**5), "objectness is "),
    "logit for a probability": (lambda d: _instance(d).update(class_probs=[3.5]), "class_probs.0 is 3.5"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_the_file_are_named_in_one_line(tmp_path: Path, fault: str) -> None:
    spoil, message = FAULTS[fault]
    document, path = _document(), tmp_path / "demo.json"
    path.write_text(json.dumps(document))
    read_predictions(path)
    spoil(document)
    path.write_text(json.dumps(document))
    with pytest.raises(UserError, match=message) as caught:
        read_predictions(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "rsis predict RUN" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_one_that_is_not_json_say_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "demo.json"
    with pytest.raises(UserError, match=r"cannot read .No such file.*run `rsis predict RUN`"):
        read_predictions(path)
    path.write_bytes(b'{"schema_version": 3, \xff')
    with pytest.raises(UserError, match=r"not valid JSON.*run `rsis predict RUN`"):
        read_predictions(path)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_runs_of_a_mask_are_its_pixels_column_by_column(mask: np.ndarray) -> None:
    runs = rle_runs(encode_rle(mask))
    values = np.arange(len(runs)) % 2 == 1
    np.testing.assert_array_equal(np.repeat(values, runs).reshape(mask.shape, order="F"), mask)
