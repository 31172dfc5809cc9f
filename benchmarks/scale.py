"""Growth: time should grow linearly with images and with steps, and memory should not grow with images."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from benchmarks.cases import Case, make_batch, make_networks, paper_model, paper_training
from benchmarks.inference import ORIGINAL, teach_length
from benchmarks.measure import Measurement, Settings, interleave, run_stage
from benchmarks.results import Row
from benchmarks.training import OurTraining
from rsis.config.runs import PredictSection
from rsis.predict.run import predict_batch

STAGES = ("prepare", "train", "predict", "score")
_VAL = 8  # validation images, the same number for every size
_HEAD = """
datasets:
  drawn:
    format: voc
    source: {{kind: scenes, seed: 1, image_size: [{image}], train: {most}, val: 1, sbdataset: 0, objects: [1, 4]}}
    size: [96, 96]
    voc: VOCdevkit/VOC2012
    splits: {{train: {{image_sets: [train]}}}}
"""
_DATASET = """
  n{count}:
    format: voc
    source: {{kind: folder, path: drawn}}
    size: [96, 96]
    voc: VOCdevkit/VOC2012
    splits:
      train: {{image_sets: [train], share: [0.0, {share}]}}
      val: {{image_sets: [train], share: [0.0, {val}]}}
"""
_RUN = """
  n{count}:
    dataset: n{count}
    model: {{backbone: resnet18, stride: 16, hidden_widths: [32, 16, 8, 4], mask_gain: 5.0}}
    train: {{epochs: 1, batch_size: 8, num_steps: 5, workers: 0, lr: 1e-3, lr_encoder: 1e-3, keep: last}}
    predict: {{split: train, num_steps: 5, objectness_threshold: 0.0}}
    score: {{scorers: [voc, coco]}}
"""
_TAIL = "default: {datasets: [], runs: {}}\n"


def cases(settings: Settings) -> list[Case]:
    """Return the cases of growth."""
    return [
        Case("scale", "images", partial(_images, settings)),
        Case("scale", "steps", partial(_steps, settings)),
    ]


def _images(settings: Settings) -> list[Row]:
    counts = (8, 16, 32) if settings.quick else (100, 200, 400)
    repetitions = 1 if settings.quick else 2
    image = "96, 128" if settings.quick else "375, 500"
    seconds: dict[tuple[str, int], list[float]] = {}
    mib: dict[tuple[str, int], list[float]] = {}
    settings.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.folder) as name:
        folder = Path(name)
        (folder / "params.yaml").write_text(_params(counts, image))
        run_stage("download", "drawn", folder)
        (folder / "data/raw/drawn").rename(
            folder / "drawn"
        )  # a data set must not be in a folder that the stages write to
        for count in counts:
            run_stage("download", f"n{count}", folder)
        for _ in range(repetitions):
            for stage in STAGES:
                options = ("--workers", "1") if stage == "prepare" else ("--fresh",) if stage == "train" else ()
                for count in counts:
                    if stage == "train":
                        (folder / "models" / f"n{count}.safetensors").unlink(missing_ok=True)
                    result = run_stage(stage, f"n{count}", folder, *options)
                    seconds.setdefault((stage, count), []).append(result.seconds)
                    mib.setdefault((stage, count), []).append(result.peak_mib)
    rows = []
    for stage in STAGES:
        times = [Measurement.of(seconds[stage, count]) for count in counts]
        peaks = [Measurement.of(mib[stage, count]) for count in counts]
        rows += _growth(f"{stage}, images", counts, times)
        more = f"{peaks[-1].median - peaks[0].median:+.0f} MiB from {counts[0]} to {counts[-1]} images"
        for count, peak in zip(counts, peaks, strict=True):
            note = more if count == counts[-1] else ""
            rows.append(Row("scale", f"{stage}, peak memory, images {count}", peak, unit="MiB", note=note))
    return rows


def _params(counts: tuple[int, ...], image: str) -> str:
    most = counts[-1]
    parts = [_HEAD.format(image=image, most=most)]
    for count in counts:
        # half an image more, so that rounding does not lose one
        share = min(1.0, (count + 0.5) / most)
        parts.append(_DATASET.format(count=count, share=share, val=(_VAL + 0.5) / most))
    parts.append("runs:")
    parts += [_RUN.format(count=count) for count in counts]
    return "".join([*parts, _TAIL])


def _steps(settings: Settings) -> list[Row]:
    if settings.quick:
        model, size, batch, numbers = paper_model("resnet18", (16, 16, 8, 8, 4)), (64, 64), 2, (2, 4, 8)
    else:
        model, size, batch, numbers = paper_model("resnet34"), (128, 128), 4, (5, 10, 20)
    training: dict[str, Callable[[], object]] = {}
    inference: dict[str, Callable[[], object]] = {}
    for steps in numbers:
        data = make_batch(size, batch, steps, settings.device)
        step = OurTraining(make_networks(model, settings.device)[0].train(), paper_training(steps))
        training[str(steps)] = partial(step.step, data)
        network, literal = make_networks(model, settings.device)
        teach_length(network, literal, data.images, steps, steps)
        network = network.eval().to(memory_format=torch.channels_last)
        section = PredictSection(num_steps=steps, batch_size=batch)
        named = [(str(number), ORIGINAL) for number in range(batch)]
        inference[str(steps)] = partial(predict_batch, network, data.images, named, section)
    rows = []
    for name, calls in (("training step", training), ("inference", inference)):
        taken = interleave(calls, settings.effort, settings.device)
        what = f"{name} of {model.backbone} {size[0]}x{size[1]} B{batch}, T"
        rows += _growth(what, numbers, [taken[str(steps)] for steps in numbers])
    return rows


def _growth(name: str, sizes: tuple[int, ...], times: list[Measurement]) -> list[Row]:
    """Return a row for each size; the note of the last has the cost of one more image or step between two sizes."""
    slopes = [1000 * (times[i + 1].median - times[i].median) / (sizes[i + 1] - sizes[i]) for i in range(len(sizes) - 1)]
    found = ", ".join(f"{slope:.1f} ms up to {size}" for slope, size in zip(slopes, sizes[1:], strict=True))
    rows = []
    for size, taken in zip(sizes, times, strict=True):
        note = f"one more costs {found}" if size == sizes[-1] else ""
        rows.append(Row("scale", f"{name} {size}", taken, note=note))
    return rows
