"""`--split`: results of another split than the run's own have separate files, and files are never confused."""

import json
import sys
from pathlib import Path

import pytest
import torch
from support.command_line import TINY

from rsis.checkpoint.file import save_checkpoint
from rsis.checkpoint.info import CheckpointInfo
from rsis.cli.main import main
from rsis.config.params import load_params
from rsis.data.prepared.file import PreparedSplit
from rsis.model.network import RSISNetwork
from rsis.prediction_file import read_predictions

# with this gain a network with random weights predicts masks
ONE_RUN = TINY.replace("hidden_widths: [8, 4]", "hidden_widths: [8, 4], mask_gain: 8.0")
OTHER = ONE_RUN.partition("default:")[0].partition("runs:\n")[2].replace("demo:", "other:")
TWO_RUNS = ONE_RUN.replace("default:", f"{OTHER}default:")


def rsis(command: str, monkeypatch: pytest.MonkeyPatch) -> object:
    """Run a command; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["rsis", *command.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def written(folder: Path) -> dict[str, bytes]:
    """The files that the stages after training wrote."""
    stages = ("predictions", "metrics", "scores", "analysis", "submissions")
    files = [path for stage in stages for path in (folder / stage).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with prepared data, an untrained checkpoint, and a prediction of the run's own split."""
    (tmp_path / "params.yaml").write_text(TWO_RUNS)
    monkeypatch.chdir(tmp_path)
    for command in ("download plants", "prepare plants"):
        assert not rsis(command, monkeypatch)
    run = load_params().run("demo")
    split = PreparedSplit(tmp_path / "data/processed/plants/test.h5")
    torch.manual_seed(1)
    model, predict = run.model.model_dump(mode="json"), run.predict.model_dump(mode="json")
    info = CheckpointInfo("demo", "plants", split.class_names, split.size, model, {}, predict, {}, "key")
    save_checkpoint(tmp_path / "models/demo.safetensors", RSISNetwork(run.model, 2), info)
    assert not rsis("predict demo", monkeypatch)
    return tmp_path


def test_another_split_leaves_the_runs_own_results_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("score demo", "analyze demo"):
        assert not rsis(command, monkeypatch)
    own = written(project)
    capsys.readouterr()

    for command in ("predict demo --split val", "score demo --split val", "analyze demo --split val"):
        assert not rsis(command, monkeypatch), capsys.readouterr().err
    output = capsys.readouterr().out
    new = {name: content for name, content in written(project).items() if name not in own}

    assert {name: written(project)[name] for name in own} == own
    assert {name.split("/")[0] + "/" + name.split("/")[1] for name in new} == {
        *("predictions/demo-val.json", "scores/demo-val.json", "scores/demo-val", "analysis/demo-val")
    }
    assert read_predictions(project / "predictions/demo-val.json").split == "val"
    assert json.loads(new["scores/demo-val/protocol.json"])["split"] == "val"
    figures = json.loads(new["scores/demo-val.json"])
    assert f"demo, split val cvppp/sbd {figures['cvppp/sbd']:.4f}" in output


def test_the_runs_own_split_by_name_is_the_default(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = written(project)
    for command in ("predict demo --split test", "score demo --split test", "analyze demo --split test"):
        assert not rsis(command, monkeypatch)
    after = written(project)
    assert {name: after[name] for name in before} == before
    assert {"metrics/demo.json", "scores/demo/protocol.json", "analysis/demo/order.csv"} <= set(after)


@pytest.mark.parametrize(
    ("command", "found", "expected", "remedy"),
    [
        ("score demo --predictions val.json", "split 'val'", "'test'", "rsis predict demo"),
        (
            "score demo --split val --predictions predictions/demo.json",
            "split 'test'",
            "'val'",
            "rsis predict demo --split val",
        ),
        ("score other --predictions predictions/demo.json", "run 'demo'", "'other'", "rsis predict other"),
        ("score demo --predictions data.json", "data set 'leaves'", "'plants'", "rsis predict demo"),
        (
            "submit demo --split val --predictions predictions/demo.json",
            "split 'test'",
            "'val'",
            "rsis predict demo --split val",
        ),
    ],
)
def test_predictions_of_something_else_are_refused(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    found: str,
    expected: str,
    remedy: str,
) -> None:
    assert not rsis("predict demo --split val --out val.json", monkeypatch)
    text = (project / "predictions/demo.json").read_text()
    (project / "data.json").write_text(text.replace('"dataset": "plants"', '"dataset": "leaves"'))
    before = written(project)
    capsys.readouterr()
    assert rsis(command, monkeypatch) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"has predictions of {found}, expected {expected}; run `{remedy}`" in line
    assert written(project) == before


@pytest.mark.parametrize("command", ["score demo", "submit demo", "score demo --predictions predictions/demo.json"])
def test_predictions_of_another_checkpoint_are_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    path = project / "predictions/demo.json"
    digest = read_predictions(path).checkpoint
    path.write_text(path.read_text().replace(digest, "0" * 64))
    before = written(project)
    assert rsis(command, monkeypatch) == 2
    message = capsys.readouterr().err
    assert f"has predictions of checkpoint '{'0' * 12}', which models/demo.safetensors is not" in message
    assert "run `rsis predict demo`" in message
    assert written(project) == before
    assert not rsis("predict demo", monkeypatch)  # as the message says
    assert not rsis(command, monkeypatch)


def test_a_file_of_a_named_split_is_scored_and_submitted(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not rsis("predict demo --split val --out val.json", monkeypatch)
    assert not rsis("score demo --split val --predictions val.json --metrics m.json --details d", monkeypatch)
    assert json.loads((project / "d/protocol.json").read_text())["split"] == "val"
    assert (project / "m.json").is_file()
    assert not rsis("predict demo --split train", monkeypatch)
    assert not rsis("submit demo --split train", monkeypatch)
    assert {name.split("/")[1] for name in written(project) if name.startswith("submissions")} == {"demo-train"}


def test_a_run_of_the_splits_name_keeps_its_files(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "params.yaml").write_text(TWO_RUNS.replace("other:", "demo-val:"))
    for command in ("predict", "score", "analyze", "submit"):
        assert rsis(f"{command} demo --split val", monkeypatch) == 2
        assert "there is a run demo-val, whose files these are; rename it in params.yaml" in capsys.readouterr().err
    assert not rsis("predict demo --split val --out val.json", monkeypatch)
