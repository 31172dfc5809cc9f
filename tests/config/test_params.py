"""params.yaml: what is accepted, and what a fault says."""

import re
from pathlib import Path
from typing import Any

import pytest
from support.params_text import change
from support.reference_data import REPOSITORY

from rsis.config.params import load_params
from rsis.config.runs import AugmentSection
from rsis.config.sources import FolderSource
from rsis.errors import UserError
from rsis.files.digests import digest_of


@pytest.fixture
def text() -> str:
    return (REPOSITORY / "params.yaml").read_text()


def test_the_repositorys_own_file_is_valid() -> None:
    params = load_params(REPOSITORY / "params.yaml")
    assert params.run("demo").dataset == "plants"
    full = {"nuclei_full", "pascal_pointer", "cvppp_pointer", "cityscapes_pointer"}  # too long to train here
    others = {run for name in ("seeds", "networks_seeds", "choices") for run in params.comparisons[name]}
    assert set(params.runs) - set(params.default.runs) == full | others
    assert "nuclei_full" not in params.default.datasets


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("runs.demo.train.epoch", 3, "runs.demo.train.epoch: unknown key; remove it or correct its spelling"),
        ("runs.demo.train.lr", ..., "runs.demo.train.lr: missing; add it"),
        ("runs.demo.train.epochs", ..., "runs.demo.train: one of epochs, minutes says how long it trains; give one"),
        ("runs.demo.train.minutes", 5, "runs.demo.train: one of epochs, minutes says how long it trains; give one"),
        ("runs.demo.train.minutes", 0, "runs.demo.train.minutes: found 0; input should be greater than 0"),
        (
            "runs.demo.model.dropout",
            0.2,
            "dropout: not a key of decoder pointer, which has decoder, backbone",
        ),
        ("runs.demo.model.hidden_widths", [8], "decoder convlstm needs hidden_widths, decoder pointer has none"),
        ("runs.demo_convlstm.model.hidden_widths", None, "runs.demo_convlstm.model: decoder convlstm needs hidden_wid"),
        ("runs.demo.train.epochs", "many", "runs.demo.train.epochs: found 'many'; input should be a valid integer"),
        ("runs.demo.train.epochs", 0, "runs.demo.train.epochs: found 0; input should be greater than or equal to 1"),
        ("runs.demo.train.augment.flip", 1, "runs.demo.train.augment.flip: found 1; input should be a valid boolean"),
        (
            "runs.demo.model.backbone",
            "resnet20",
            "runs.demo.model.backbone: found 'resnet20'; input should be 'resnet18'",
        ),
        ("runs.demo.dataset", "plnts", "runs.demo.dataset is 'plnts'; datasets has nuclei, plants"),
        ("runs.demo.train.num_steps", 30, "num_steps 30 exceeds max_instances 13; raise the latter"),
        (
            "runs.cvppp.train.num_steps",
            5,
            "num_steps 5 does not exceed curriculum.stop_after 5, so the objectness would never be trained; "
            "lower curriculum.stop_after",
        ),
        ("runs.demo.train.optimizer", "adamw", "lr_kernels and optimizer muon go together; give both or neither"),
        ("runs.demo.train.lr_kernels", None, "lr_kernels and optimizer muon go together; give both or neither"),
        ("runs.demo.train.curriculum", {"start": 2}, "one of every, patience must be a number"),
        ("datasets.plants.size", [96], "datasets.plants.size.1: missing; add it"),
        (
            "datasets.plants.source.kind",
            "url",
            "plants.source.kind: found 'url'; expected one of 'plants', 'scenes'",
        ),
        ("datasets.plants.source.kind", ..., "datasets.plants.source.kind: missing; add it"),
        (
            "datasets.plants.format",
            "cvpp",
            "datasets.plants.format: found 'cvpp'; expected one of 'cvppp', 'coco', 'voc'",
        ),
        ("datasets.plants", 5, "datasets.plants: found 5; input should be a mapping"),
        (
            "datasets.plants.splits.train.take",
            [0, 1, 2],
            "take: found [0, 1, 2]; list should have at most 2 items, not 3",
        ),
        ("datasets.plants.splits.train.take", 5, "splits.train.take: found 5; input should be a valid list"),
        ("default.runs", {"demo": "nuclei"}, "default.runs.demo: no run of that name on data set 'nuclei'"),
        ("default.datasets", ["nuclei"], "default.datasets: plants is missing"),
        ("runs.demo.train.devices", 3, "batch_size 8 cannot be shared evenly by 3 devices on 1 nodes"),
        ("runs.demo.train.seed", -1, "runs.demo.train.seed: found -1; input should be greater than or equal to 0"),
        ("runs.demo.seeds", [0, 1], "default.runs.demo: DVC has no stage for each of its seeds"),
        ("runs.nuclei_full.seeds", [1, 1], "runs: nuclei_full-seed1 stands for two of them"),
        ("comparisons.demo", ["demo"], "comparisons.demo: there is a run of that name"),
        ("datasets.nuclei.source.path", "data/processed/x", "source.path: found 'data/processed/x', but rsis writes"),
        ("datasets.nuclei.source.path", "data", "source.path: found 'data', but rsis writes data/raw and replaces"),
        ("datasets.cityscapes.source.path", "./models/../state", "source.path: found './models/../state', but rsis"),
        ("comparisons.paper", ["nosuch"], "comparisons.paper: no run 'nosuch'"),
    ],
)
def test_a_fault_names_key_found_and_remedy(tmp_path: Path, text: str, path: str, value: Any, message: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(change(text, path, value))
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        load_params(file)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("run", "key", "value"),
    [
        *((run, key, value) for run in ("demo", "nuclei", "demo_streets", "demo_convlstm")
          for key, value in (("num_steps", 5), ("batch_size", 2))),
        *((run, "epochs", epochs) for run in ("demo", "demo_streets", "demo_convlstm") for epochs in (1, 2)),
        ("nuclei", "minutes", 0.5),
    ],
)  # fmt: skip
def test_one_change_makes_a_smaller_training(tmp_path: Path, text: str, run: str, key: str, value: float) -> None:
    """As `dvc exp run -S` makes it: no other key has to change with it."""
    file = tmp_path / "params.yaml"
    file.write_text(change(text, f"runs.{run}.train.{key}", value))
    assert getattr(load_params(file).run(run).train, key) == value


def test_a_file_that_is_missing_or_no_yaml(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such file; run in the folder that holds params\.yaml"):
        load_params(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("runs: [")
    with pytest.raises(UserError, match=r"not valid YAML"):
        load_params(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("just words")
    with pytest.raises(UserError, match=r"params\.yaml: the file: found 'just words'; input should be a mapping"):
        load_params(tmp_path / "params.yaml")


def test_unknown_names_list_the_known_ones() -> None:
    params = load_params(REPOSITORY / "params.yaml")
    with pytest.raises(UserError, match=r"no run 'dmo'; it has .*demo_scenes, "):
        params.run("dmo")
    with pytest.raises(UserError, match=r"no data set 'x'; it has nuclei, plants"):
        params.dataset("x")


def test_environment_variable_replaces_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    source = FolderSource(kind="folder", path="here", env="THERE")
    assert source.resolve() == Path("here")
    monkeypatch.setenv("THERE", "/elsewhere")
    assert source.resolve() == Path("/elsewhere")


def test_digest_follows_values_not_objects() -> None:
    first, second = AugmentSection(shift=1e-1), AugmentSection(shift=0.1)
    assert digest_of(first) == digest_of(second)
    assert digest_of(first) != digest_of(AugmentSection(shift=0.2))


PAPER = {  # size, D, batch, T, gamma, class loss from epoch, encoder from epoch, zoom, objectness threshold
    "pascal": ((256, 256), 128, 28, 10, 0.5, 20, 0, (0.7, 1.4), 0.5),
    "cvppp": ((400, 400), 64, 20, 20, 0.1, None, 0, (0.7, 1.0), 0.2),
    "cityscapes": ((256, 512), 128, 32, 20, 1.0, 60, 20, (1.0, 1.0), 0.0),
}


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_runs_have_the_papers_numbers(name: str) -> None:
    params = load_params(REPOSITORY / "params.yaml")
    run = params.run(name)
    size, width, batch, steps, gamma, class_epoch, encoder_epoch, zoom, threshold = PAPER[name]
    train = run.train
    assert params.dataset(run.dataset).size == size
    assert (run.model.backbone, run.model.weights, run.model.stride) == ("resnet101", "IMAGENET1K_V1", 32)
    assert run.model.hidden_widths == (width, width, width // 2, width // 4, width // 8)
    assert (run.model.mask_kernel_size, run.model.mask_gain, run.model.coordinates) == (1, 1.0, "none")
    assert (train.optimizer, train.lr, train.lr_encoder, train.weight_decay) == ("adam", 1e-3, 1e-6, 1e-6)
    assert (train.batch_size, train.num_steps, train.max_instances) == (batch, steps, 20)
    assert (train.objective.stop_weight, train.objective.class_from_epoch) == (gamma, class_epoch)
    assert (train.encoder_from_epoch, train.augment.zoom, train.clip_norm) == (encoder_epoch, zoom, None)
    assert (train.curriculum is None) == (name == "pascal")
    assert (run.predict.objectness_threshold, run.predict.mask_threshold) == (threshold, 0.5)
    assert (run.score.classes, run.predict.exclusive) == ("all", False)


def test_the_ablation_table_differs_from_the_papers_run_in_the_model_alone() -> None:
    params = load_params(REPOSITORY / "params.yaml")
    main = params.run("pascal")
    rows = set()
    for name, run in params.runs.items():
        if name in params.comparisons["ablation"]:
            model = run.model.model_dump()
            assert run.model_copy(update={"model": main.model}) == main, name
            changed = {key for key, value in main.model.model_dump().items() if value != model[key]}
            assert len(changed) == (name != "pascal"), name
            assert run.model.hidden_widths is not None
            rows.add((run.model.backbone, run.model.skip_mode, len(run.model.hidden_widths)))
    encoders = {(name, "concat", 5) for name in ("vgg16", "resnet50", "resnet101")}
    modes = {("resnet101", mode, 5) for mode in ("sum", "mul", "none")}
    assert rows == encoders | modes | {("resnet101", "concat", layers) for layers in (4, 3, 2, 1)}


@pytest.mark.parametrize("url", ["https://[bad/x", "ftp://host/x", "VOC.tar"])
def test_an_address_that_is_none_is_named_by_its_key(tmp_path: Path, url: str) -> None:
    text = (REPOSITORY / "params.yaml").read_text()
    first = "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar"
    (tmp_path / "params.yaml").write_text(text.replace(first, f'"{url}"'))
    with pytest.raises(UserError, match=r"datasets\.pascal\.source\.files\..*urls\.0: expected an address"):
        load_params(tmp_path / "params.yaml")


def test_a_run_with_seeds_stands_for_one_of_each(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(change(change(text, "default.runs", {}), "runs.nuclei.seeds", [3, 7]))
    params = load_params(path)
    assert {"nuclei-seed3", "nuclei-seed7", "demo"} <= set(params.members)
    assert "nuclei" not in params.members
    assert params.compared["nuclei"] == ("nuclei-seed3", "nuclei-seed7")
    assert params.run("nuclei-seed7").train.seed == 7
    assert params.run("nuclei-seed7").seeds is None
    assert params.origin("nuclei-seed7") == ("nuclei", 7)
    with pytest.raises(UserError, match="run nuclei has several seeds; name one of nuclei-seed3, nuclei-seed7"):
        params.run("nuclei")
