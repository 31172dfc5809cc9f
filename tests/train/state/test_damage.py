"""State damaged by a power failure, a disk or an attacker is noticed, and the training still gives the same result."""

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.short_training import Killed, outputs, paths_in, run_with, train_quietly, train_until

import rsis.files.atomic
from rsis.files.durable import replace_on_disk
from rsis.train.run import TrainPaths
from rsis.train.state.files import is_whole, keep_as, put_back, seal, write_state
from rsis.train.state.resume import BEST, LAST, PREVIOUS, RESULT

RUN = run_with(epochs=3, objective={"stop_from_epoch": 0}, curriculum=None)


def flip(path: Path) -> None:
    """Change one bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 64
    path.write_bytes(content)


def cut(path: Path) -> None:
    """Truncate the file to its first half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def plant(path: Path) -> None:
    """Replace the file by a pickle that runs a command when it is read."""
    path.write_bytes(pickle.dumps(Harm()))
    path.with_name(f"{path.name}.sha256").unlink()


class Harm:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> Any:
        """Return the call."""
        return os.system, ("touch HARMED",)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, processed: Path) -> TrainPaths:
    """An uninterrupted training."""
    paths = paths_in(tmp_path_factory.mktemp("whole"), processed)
    train_quietly(RUN, paths)
    return paths


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, processed: Path) -> TrainPaths:
    """A training that was killed in its last epoch."""
    paths = paths_in(tmp_path_factory.mktemp("killed"), processed)
    with pytest.MonkeyPatch.context() as patch:
        train_until(2, RUN, paths, patch)
    return paths


def copy_of(paths: TrainPaths, folder: Path) -> tuple[TrainPaths, Path]:
    """Return a copy to damage, and the folder of its state."""
    root = paths.state.parent
    shutil.copytree(root, folder, dirs_exist_ok=True)
    copy = paths_in(folder, paths.processed)
    (state,) = (path.parent for path in copy.state.rglob("alive.json"))
    return copy, state


@pytest.mark.parametrize(
    ("damage", "names", "goes_on"),
    [
        (flip, [LAST], "the epoch before"),
        (empty, [LAST], "the epoch before"),
        (Path.unlink, [LAST], "the epoch before"),
        (plant, [LAST], "the epoch before"),
        (flip, [PREVIOUS], ""),
        (flip, [LAST, PREVIOUS], "begins anew"),
        (flip, [BEST], "begins anew"),
        (Path.unlink, [BEST], "begins anew"),
    ],
)
def test_what_is_damaged_counts_as_not_there(
    tmp_path: Path,
    whole: TrainPaths,
    killed: TrainPaths,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], None],
    names: list[str],
    goes_on: str,
) -> None:
    paths, state = copy_of(killed, tmp_path)
    monkeypatch.chdir(tmp_path)
    # make the previous checkpoint a separate file, as it is after the second epoch
    assert (state / LAST).read_bytes() != (state / PREVIOUS).read_bytes()
    for name in names:
        damage(state / name)
    train_quietly(RUN, paths)
    assert outputs(paths) == outputs(whole)
    assert goes_on in caplog.text
    if damage is not Path.unlink and names != [PREVIOUS]:
        assert "it counts as not there" in caplog.text
    assert not (tmp_path / "HARMED").exists()


@pytest.mark.parametrize(
    ("damage", "names"),
    [
        (flip, [RESULT]),
        (empty, [RESULT]),
        (empty, ["history/run.json"]),
        (cut, ["history/metrics.json"]),
        (Path.unlink, ["history/plots/metrics/val/total.tsv"]),
        (empty, [RESULT, BEST]),
        (empty, [RESULT, LAST]),
    ],
)
def test_what_is_published_is_read_back_first(
    tmp_path: Path, whole: TrainPaths, damage: Callable[[Path], None], names: list[str]
) -> None:
    paths, state = copy_of(whole, tmp_path)
    paths.model.unlink()
    for name in names:
        damage(state / name)
    train_quietly(RUN, paths)
    assert outputs(paths) == outputs(whole)


def test_a_published_checkpoint_that_cannot_be_read_is_published_again(
    tmp_path: Path, whole: TrainPaths, caplog: pytest.LogCaptureFixture
) -> None:
    paths, _ = copy_of(whole, tmp_path)
    for damage in (empty, cut):
        damage(paths.model)
        train_quietly(RUN, paths)
        assert outputs(paths) == outputs(whole)
    empty(paths.history / "run.json")
    train_quietly(RUN, paths)
    assert (paths.history / "run.json").read_bytes() == (whole.history / "run.json").read_bytes()
    assert caplog.text.count("it counts as not there") == 3


def test_state_of_a_former_version_is_taken_as_it_is(
    tmp_path: Path, whole: TrainPaths, killed: TrainPaths, caplog: pytest.LogCaptureFixture
) -> None:
    paths, state = copy_of(killed, tmp_path)
    for path in [*state.glob("*.sha256"), state / PREVIOUS]:
        path.unlink()
    before = torch.load(state / LAST, weights_only=True)
    with caplog.at_level("INFO"):
        train_quietly(RUN, paths)
    assert f"going on from {state / LAST}" in caplog.text
    assert "not there" not in caplog.text
    assert before["epoch"] == 1
    assert outputs(paths) == outputs(whole)


def test_leftovers_in_the_state_are_swept(tmp_path: Path, whole: TrainPaths) -> None:
    paths, state = copy_of(whole, tmp_path)
    left = [".last.rsis-ab12cd_x.ckpt", ".last.ckpt.rsis-ab12cd_x.sha256", ".alive.rsis-ab12cd_x.json"]
    for path in [*(state / name for name in left), paths.model.with_name(".demo.rsis-ab12cd_x.safetensors")]:
        path.write_text("half")
    (paths.history.parent / ".demo.rsis-ab12cd_x").mkdir()
    train_quietly(RUN, paths)
    assert not list(tmp_path.rglob(".*.rsis-*"))


def test_a_file_fits_its_digests_whenever_the_process_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"of a former version")
    rename = replace_on_disk
    for content in (b"1", b"2", b"3"):
        for fatal in ("a.sha256", "a"):

            def stop(old: Path, new: Path, fatal: str = fatal) -> None:
                if new.name == fatal:
                    raise Killed
                rename(old, new)

            with monkeypatch.context() as patch, pytest.raises(Killed):
                patch.setattr(rsis.files.atomic, "replace_on_disk", stop)
                write_state(path, content)
            assert is_whole(path)
        write_state(path, content)
        assert is_whole(path)
        assert path.read_bytes() == content
    path.write_bytes(b"else")
    assert not is_whole(path)


def test_a_kept_file_can_be_put_back(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.x", tmp_path / "b.x"
    for content in (b"1", b"2", b"2", b"3"):
        write_state(path, content)
        keep_as(path, copy)
        keep_as(path, copy)
        assert is_whole(copy)
    write_state(path, b"4")
    assert copy.read_bytes() == b"3"
    put_back(copy, path)
    assert path.read_bytes() == b"3"
    assert is_whole(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.x", "a.x.sha256"]


def test_a_folder_is_sealed_with_its_names_and_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "history"
    (folder / "plots").mkdir(parents=True)
    (folder / "plots" / "a.tsv").write_text("1")
    seal(folder)
    assert is_whole(folder)
    (folder / "plots" / "a.tsv").rename(folder / "plots" / "b.tsv")
    assert not is_whole(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 1, "keep": "last", "average_decay": 0.5},
        {"epochs": 4, "patience": 1, "min_delta": 100.0},  # ends after two of its epochs
    ],
    ids=str,
)
def test_a_kill_between_the_last_epoch_and_the_result_changes_nothing(
    tmp_path: Path, processed: Path, changes: dict[str, Any]
) -> None:
    run = run_with(objective={"stop_from_epoch": 0}, curriculum=None, **changes)
    paths = paths_in(tmp_path, processed)
    train_quietly(run, paths)
    before = outputs(paths)
    paths.model.unlink()
    (result,) = paths.state.rglob(RESULT)
    result.unlink()
    result.with_name(f"{RESULT}.sha256").unlink()
    train_quietly(run, paths)
    assert outputs(paths) == before
