"""The code around the measurements; no test depends on a measured time."""

import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from rich.console import Console

from benchmarks.__main__ import SUBJECTS, all_cases, main, select
from benchmarks.cases import Shape, make_batch, make_networks, paper_model, paper_training
from benchmarks.measure import (
    Effort,
    Measurement,
    MeasurementError,
    Settings,
    interleave,
    peak_resident_mib,
    resident_mib,
    run_child,
    run_stage,
)
from benchmarks.results import ResultsError, Row, print_rows, read_results, write_results
from benchmarks.roofline import count
from benchmarks.scale import _params
from benchmarks.startup import processor_seconds
from benchmarks.training import OurTraining
from benchmarks.variants import predict_variants, train_variants
from rsis.config.params import load_params

CPU = torch.device("cpu")
ONCE = Effort(1, 1, 0.0)
TINY = Shape(paper_model("resnet18", (4, 4, 4, 4, 2)), (64, 64), 2, 2)


@pytest.fixture(autouse=True)
def torch_as_before() -> Iterator[None]:
    """Restore the settings of torch, which the command changes for the whole process."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


@pytest.fixture
def quick(tmp_path: Path) -> Settings:
    return Settings(True, 1, CPU, ONCE, tmp_path)


def test_contestants_take_turns_and_the_first_round_does_not_count() -> None:
    calls: list[str] = []
    contestants = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    taken = interleave(contestants, Effort(least=3, most=10, seconds=0.0), CPU)
    assert calls == ["a", "b"] * 4
    assert {name: item.repetitions for name, item in taken.items()} == {"a": 3, "b": 3}
    assert all(0 <= item.minimum <= item.median for item in taken.values())
    calls.clear()
    interleave(contestants, Effort(least=1, most=2, seconds=60.0), CPU)
    assert len(calls) == 2 * 3


def test_rows_come_back_from_their_file_and_ratios_say_which_is_faster(tmp_path: Path) -> None:
    rows = [
        Row("training", "a", Measurement(0.5, 0.4, 5), "s", "literal", Measurement(1.0, 0.9, 5), 8, "note"),
        Row("memory", "b", Measurement(100.0, 100.0, 1), "MiB"),
        Row("roofline", "c", Measurement(20.0, 20.0, 1), "GB/s"),
    ]
    path = tmp_path / "sub" / "results.json"
    machine = {"processor": "x", "flags": []}
    write_results(path, machine, rows, quick=True)
    assert read_results(path) == (machine, rows)
    assert (rows[0].ratio, rows[0].rate) == (2.0, 16.0)
    assert (rows[1].ratio, rows[1].rate) == (None, None)
    before = [
        Row("training", "a", Measurement(1.0, 1.0, 5), "s", "literal"),
        Row("roofline", "c", Measurement(10.0, 10.0, 1), "GB/s"),
    ]
    console = Console(width=160, record=True, file=io.StringIO())
    print_rows(console, rows, before)
    lines = console.export_text().splitlines()
    assert next(line for line in lines if line.startswith("│ a ")).split("│")[8].strip() == "2.00"
    assert next(line for line in lines if line.startswith("│ b ")).split("│")[8].strip() == "-"
    assert next(line for line in lines if line.startswith("│ c ")).split("│")[8].strip() == "2.00"
    assert "  1  note" in lines


@pytest.mark.parametrize(
    ("content", "message"),
    [("no json", "not JSON"), ('{"rows": []}', "schema version None"), ('{"schema_version": 1}', "not as")],
)
def test_foreign_files_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(ResultsError, match=message):
        read_results(path)


def test_every_subject_has_cases_with_names_of_their_own(quick: Settings) -> None:
    for settings in (quick, Settings(False, 1, CPU, ONCE, quick.folder)):
        cases = all_cases(settings)
        names = [(case.subject, case.name) for case in cases]
        assert len(set(names)) == len(names)
        assert {case.subject for case in cases} == set(SUBJECTS) - {"variants"}  # those need a GPU
    assert {case.subject for case in select(cases, ["scoring", "resnet34"])} > {"scoring", "training"}
    assert [case.name for case in select(cases, ["scoring/coco"])] == ["coco"]
    with pytest.raises(ResultsError, match="'nothing' is in no case"):
        select(cases, ["memory", "nothing"])


def test_the_command_measures_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.json"
    arguments = ["--quick", "--threads", "1", "--device", "cpu", "--only", "objective", "symmetric", "--out", str(out)]
    assert main(arguments) == 0
    assert main([*arguments[:-1], str(tmp_path / "again.json"), "--compare", str(out)]) == 0
    assert "then / now" in capsys.readouterr().out
    document = json.loads(out.read_text())
    assert document["quick"]
    assert document["machine"]["threads"] == 1
    assert {row["subject"] for row in document["rows"]} == {"objective", "scoring"}
    assert main(["--show", str(out), "--compare", str(out)]) == 0
    assert main(["--compare", str(tmp_path / "none.json")]) == 2
    assert "none.json: No such file" in capsys.readouterr().err
    if not torch.cuda.is_available():
        assert main(["--device", "cuda"]) == 2
    assert main(["--only", "objective", "--quick", "--out", str(out / "below.json")]) == 2
    assert "out.json" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["--threads", "0"])
    assert stop.value.code == 2


def test_work_is_counted() -> None:
    a, b = torch.zeros(4, 8), torch.zeros(8, 16)
    work = count(lambda: a @ b)
    assert work.flop == 2 * 4 * 8 * 16
    assert work.bytes == 4 * (4 * 8 + 8 * 16 + 4 * 16)
    assert count(lambda: a.view(8, 4).t()).bytes == 0
    assert count(lambda: a + 1).bytes == 2 * 4 * 4 * 8


def test_a_frozen_encoder_is_left_alone() -> None:
    network, _ = make_networks(TINY.model, CPU)
    training = OurTraining(network.train(), paper_training(2, frozen=True))
    before = {name: value.clone() for name, value in network.named_parameters()}
    training.step(make_batch((64, 64), 2, 2, CPU))
    for name, value in network.named_parameters():
        assert torch.equal(value, before[name]) == name.startswith("encoder.backbone."), name


def test_variants_that_do_not_work_say_so(quick: Settings) -> None:
    variants = ("as it is", "CUDA graphs")  # the latter needs a GPU; compiling takes too long for a test
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="CUDA is not available")
        rows = train_variants(TINY, quick, variants) + predict_variants(TINY, quick, variants)
    assert all(row.ratio for row in rows if "CUDA graphs" not in row.case)
    failed = [row for row in rows if "CUDA graphs" in row.case]
    if not torch.cuda.is_available():
        assert len(failed) == 2
        assert all(row.note.startswith("does not work: ") for row in failed)
    assert "GFLOP" in rows[0].note


def test_a_process_of_its_own_is_watched_and_its_failure_is_one_line(tmp_path: Path) -> None:
    assert 0 < resident_mib() <= peak_resident_mib() * 1.01
    with pytest.raises(MeasurementError, match=r"exit code 2: .*params\.yaml"):
        run_stage("check", "nothing", tmp_path)
    with pytest.raises(MeasurementError, match="exit code 1"):
        run_child("nothing", {})


def test_start_up_counts_the_processor_s_time_alone(quick: Settings) -> None:
    (row,) = next(case for case in all_cases(quick) if case.name == "import rsis").measure()
    assert row.baseline is not None
    assert row.baseline.minimum > 0
    assert row.ours.repetitions == quick.effort.least
    busy = processor_seconds(["-c", "import time\nwhile time.process_time() < 0.5: pass\ntime.sleep(1)"])
    assert 0.5 <= busy < 1
    with pytest.raises(MeasurementError, match="exit code 3"):
        processor_seconds(["-c", "raise SystemExit(3)"])


def test_data_sets_that_grow_differ_in_their_share_alone(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(_params((100, 200, 400), "375, 500"))
    params = load_params(path)
    assert list(params.datasets) == ["drawn", "n100", "n200", "n400"]
    shares = [params.datasets[name].splits["train"].share[1] for name in ("n100", "n200", "n400")]  # type: ignore[union-attr]
    assert [int(share * 400) for share in shares] == [100, 200, 400]
    assert list(params.runs) == ["n100", "n200", "n400"]
