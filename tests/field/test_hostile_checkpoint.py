"""Checkpoints of wrong content are refused in one line, before memory is taken for what they claim."""

import functools
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save
from support.little_memory import run_with_memory
from support.small_model import CONVLSTM, POINTER, write_small_model

from rsis.checkpoint.file import load_checkpoint
from rsis.checkpoint.info import read_info
from rsis.cli.console import fail
from rsis.cli.main import main
from rsis.config.runs import ModelSection
from rsis.errors import UserError
from rsis.tool.predictor import RSIS

Weights = dict[str, torch.Tensor]
SECTIONS = pytest.mark.parametrize("section", [CONVLSTM, POINTER], ids=["convlstm", "pointer"])


@functools.cache
def right_content(section: ModelSection) -> tuple[Weights, str]:
    """Return the weights and the description of a small checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_small_model(Path(folder) / "x.safetensors", section=section)
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()["rsis"]  # noqa: SIM118


def changed(
    path: Path,
    section: ModelSection = POINTER,
    weights: Callable[[Weights], Weights] = dict,
    description: Callable[[dict[str, Any]], dict[str, Any] | str] = dict,
) -> Path:
    """Write a checkpoint with other weights or another description."""
    tensors, header = right_content(section)
    new = description(json.loads(header))
    path.write_bytes(save(weights(tensors), metadata={"rsis": new if isinstance(new, str) else json.dumps(new)}))
    return path


def each_float(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Weights], Weights]:
    return lambda all_: {name: change(item) if item.is_floating_point() else item for name, item in all_.items()}


def one_value(value: float) -> Callable[[Weights], Weights]:
    def change(all_: Weights) -> Weights:
        last = sorted(all_)[-1]
        flat = all_[last].clone()
        flat.view(-1)[-1] = value
        return {**all_, last: flat}

    return change


OF_WEIGHTS: dict[str, tuple[Callable[[Weights], Weights], str]] = {
    "not a number": (each_float(lambda item: torch.full_like(item, torch.nan)), "has a value that is not finite"),
    "one that is not a number": (one_value(torch.nan), "has a value that is not finite"),
    "one that is infinite": (one_value(-torch.inf), "has a value that is not finite"),
    "complex": (each_float(lambda item: item.to(torch.complex64)), r"is C64 \[.*\], expected F32"),
    "int8": (each_float(lambda item: item.to(torch.int8)), r"is I8 \[.*\], expected F32"),
    "bool": (each_float(lambda item: item > 0), r"is BOOL \[.*\], expected F32"),
    "half": (each_float(lambda item: item.half()), r"is F16 \[.*\], expected F32"),
    "of another shape": (each_float(lambda item: item[..., :1].contiguous()), r"expected F32"),
    "one too few": (lambda all_: dict(list(all_.items())[1:]), "is missing"),
    "one too many": (lambda all_: {**all_, "x": torch.zeros(1)}, "x is not in the network"),
}  # fmt: skip


@SECTIONS
@pytest.mark.parametrize("name", OF_WEIGHTS)
def test_weights(tmp_path: Path, name: str, section: ModelSection) -> None:
    change, part = OF_WEIGHTS[name]
    path = changed(tmp_path / "x.safetensors", section, weights=change)
    with pytest.raises(UserError, match=rf"its weights do not fit its description \(.*{part}.*\); train"):
        load_checkpoint(path)


def with_key(section: str | None, key: str, value: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda all_: {**all_, key: value} if section is None else {**all_, section: {**all_[section], key: value}}


@pytest.mark.parametrize("size", [[0, 0], [-5, 64], [20_000, 20_000], [64, 10**6], [2**70, 64]])
def test_sizes(tmp_path: Path, size: list[int]) -> None:
    path = changed(tmp_path / "x.safetensors", description=with_key(None, "size", size))
    with pytest.raises(UserError, match=r"its description is wrong at size\.[01]"):
        load_checkpoint(path)


def test_no_class(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="its description is wrong at class_names"):
        read_info(changed(tmp_path / "x.safetensors", description=with_key(None, "class_names", [])))


@pytest.mark.parametrize("steps", [0, -1, 1001, 10**9, 2**70])
def test_steps(tmp_path: Path, steps: int) -> None:
    path = changed(tmp_path / "x.safetensors", description=with_key("predict", "num_steps", steps))
    with pytest.raises(UserError, match=f"num_steps is {steps}: Input should be"):
        RSIS.from_checkpoint(path, device="cpu").read_out()


WIDE = {
    "hidden_width": (POINTER, 10**6),
    "embedding_width": (POINTER, 10**6),
    "hidden_widths": (CONVLSTM, [10**6, 8000]),
}


@pytest.mark.slow
@pytest.mark.parametrize("key", WIDE)
def test_a_network_larger_than_the_file_takes_no_memory(tmp_path: Path, key: str) -> None:
    section, value = WIDE[key]
    path = changed(tmp_path / "x.safetensors", section, description=with_key("model", key, value))
    code = "from pathlib import Path; from rsis.checkpoint.file import load_checkpoint; load_checkpoint(Path({!r}))"
    error = run_with_memory(code.format(str(path)), 2**30)
    assert "UserError" in error
    assert "its weights do not fit its description" in error


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000 + "]" * 100_000,
        '{"a": ' * 30_000,
        "[" * 900 + "]" * 900,
        '{"run": "\\ud800"}',
        '{"\\udfff": 1}',
        "{",
    ],
    ids=["deep", "deep mappings", "too deep to print", "half a letter", "half a letter as a key", "cut"],
)
def test_descriptions_that_are_no_plain_json(tmp_path: Path, text: str) -> None:
    path = changed(tmp_path / "x.safetensors", description=lambda _: text)
    with pytest.raises(UserError, match="not a checkpoint of this program, or truncated"):
        read_info(path)


@pytest.mark.parametrize("length", [0, 7, 8, 100, -1])
def test_cut(tmp_path: Path, length: int) -> None:
    path = write_small_model(tmp_path / "x.safetensors")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UserError, match="truncated"):
        load_checkpoint(path)


def test_a_header_longer_than_the_file(tmp_path: Path) -> None:
    path = write_small_model(tmp_path / "x.safetensors")
    path.write_bytes((2**60).to_bytes(8, "little") + path.read_bytes()[8:])
    with pytest.raises(UserError, match="truncated"):
        read_info(path)


@SECTIONS
def test_outputs_that_are_not_finite_are_no_empty_result(tmp_path: Path, section: ModelSection) -> None:
    path = changed(tmp_path / "x.safetensors", section, weights=each_float(lambda item: torch.full_like(item, 1e38)))
    with pytest.raises(UserError, match="the network's outputs are not finite"):
        RSIS.from_checkpoint(path, device="cpu").predict(torch.zeros(3, 48, 64, dtype=torch.uint8))


def test_info_prints_no_control_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = changed(tmp_path / "x.safetensors", description=with_key(None, "run", "a\x1b[2Jb\nc"))
    monkeypatch.setattr(sys, "argv", ["rsis", "info", str(path)])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().out.startswith('run: "a\\u001b[2Jb\\nc"\n')


def test_errors_print_no_control_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fail("no\x1b[2J\udcff.safetensors: no such checkpoint;\ntrain ä")
    assert capsys.readouterr().err == "rsis: no\\x1b[2J\\udcff.safetensors: no such checkpoint; train ä\n"
