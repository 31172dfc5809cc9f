"""Provenance of a run: the facts that a reader needs to reproduce or question its results."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from rsis.machine.progress import duration
from rsis.machine.revision import revision_of
from rsis.prediction_file import PredictionFile
from rsis.report.tables.protocol import ScoredRun, by

LIBRARIES = ("torch", "torchvision", "lightning", "numpy", "scipy", "pandas", "pycocotools", "pillow", "matplotlib")

ORIGINS = {
    "folder": "read from a folder of the user's",
    "archives": "fetched from its publisher",
    "cityscapes": "of the benchmark's own packages",
}
LAYOUTS = {
    "cvppp": "CVPPP layout",
    "coco": "COCO instance JSON",
    "maps": "instance maps",
    "masks": "a mask for each object",
    "voc": "Pascal VOC and sbdataset layout",
    "cityscapes": "Cityscapes layout",
}


@dataclass(frozen=True)
class Provenance:
    """Facts of a run as (name, text) pairs, its parameters as YAML, and the commands that reproduce it."""

    facts: tuple[tuple[str, str], ...]
    parameters: str
    commands: tuple[str, ...]


def provenance(command: str, run: ScoredRun, history: Mapping[str, Any], predictions: PredictionFile) -> Provenance:
    """Collect the provenance of a run.

    Args:
        command: The command that writes the report.
        run: The run with its configuration and its scores.
        history: Content of the training's run.json; missing facts are left out.
        predictions: The prediction file that was scored.
    """
    config, protocol = run.run_config, run.scores.protocol
    scorers, rules = protocol.get("scorers"), protocol.get("rules")
    facts = [
        ("Network", run.network),
        ("Data set", _data(run)),
        ("Split", f"{predictions.split}, {len(predictions.images)} images predicted, {_text(run.num_images)} scored"),
        ("Left out", ", ".join(map(str, protocol.get("left_out") or ())) or "nothing"),
        ("Scorers", ", ".join(f"{k} ({v})" for k, v in scorers.items()) if isinstance(scorers, dict) else "-"),
        ("Rules of scoring", ", ".join(f"{k} {v}" for k, v in rules.items()) if isinstance(rules, dict) else "-"),
        ("Training", training(history)),
        ("Batch", batch(history)),
        ("Best epoch", _text(history.get("best_epoch"))),
        ("Checkpoint", f"SHA-256 {predictions.checkpoint}"),
        ("Trained at commit", _text(history.get("commit"))),
        ("Reported at commit", commit(Path.cwd())),
        ("Libraries", libraries()),
    ]
    parameters = {
        "runs": {run.run: config.model_dump(mode="json")},
        "datasets": {config.dataset: run.dataset_config.model_dump(mode="json")},
    }
    commands = (
        f"rsis download {config.dataset}",
        f"rsis prepare {config.dataset}",
        *(f"rsis {stage} {run.run}" for stage in ("train", "predict", "score")),
        command,
    )
    return Provenance(tuple(fact for fact in facts if fact[1] != "-"), _as_yaml(parameters), commands)


def training(history: Mapping[str, Any]) -> str:
    """Say how long a run trained and on what machine; "-" if its history says neither."""
    machine = _device(history)
    machine += [str(history[key]) for key in ("precision",) if history.get(key) is not None]
    machine += [f"torch {history['torch']}"] if history.get("torch") is not None else []
    epochs, seconds = history.get("epochs"), history.get("seconds")
    parts = [f"{epochs} epochs"] if epochs is not None else []
    parts += [f"in {duration(float(seconds))}"] if seconds is not None else []
    parts += [f"on {', '.join(machine)}"] if machine else []
    return " ".join(parts) or "-"


def trained_on(history: Mapping[str, Any]) -> str:
    """Say what a run was trained on; "" if its history does not."""
    return ", ".join(_device(history))


def _device(history: Mapping[str, Any]) -> list[str]:
    device, threads = history.get("device"), history.get("threads")
    words = [str(device)] if device is not None else []
    if threads is not None and str(device).startswith("cpu"):
        words.append(f"{threads} threads" if threads != 1 else "1 thread")
    return words


def batch(history: Mapping[str, Any]) -> str:
    """Return the batch size and the devices that shared a batch, in words; "-" if the history lacks the batch size."""
    size, devices, nodes = (history.get(key) for key in ("batch_size", "devices", "nodes"))
    if size is None:
        return "-"
    shared = (devices or 1) * (nodes or 1)
    return f"{size} images" + (f", shared by {devices} devices on each of {nodes} nodes" if shared > 1 else "")


def commit(folder: Path) -> str:
    """Return the git commit of a folder, and whether its tracked files have uncommitted changes; "-" outside git."""
    found = revision_of(folder)
    if found is None:
        return "-"
    return f"{found.commit}, with uncommitted changes" if found.changed else found.commit


def libraries() -> str:
    """Return the installed versions of the libraries that the results depend on."""
    found = []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _as_yaml(values: dict[str, Any]) -> str:
    text = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style, writer.width = None, 90
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # typed as None by its default
    writer.dump(values, text)
    return text.getvalue()


def _data(run: ScoredRun) -> str:
    config, name = run.dataset_config, run.run_config.dataset
    origin = "generated" if run.generated else ORIGINS[config.source.kind]
    layout = LAYOUTS.get(config.format, f"format {config.format}")
    return f"{name}, {origin}, {layout}; input {by(config.size)}"


def _text(value: Any) -> str:
    return "-" if value is None or value == "" else str(value)
