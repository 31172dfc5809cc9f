"""Write entries to params.yaml as text; the rest of the file does not change."""

import json
import re
from pathlib import Path

import yaml
from ruamel.yaml import YAML

from rsis.config.params import load_params
from rsis.errors import UserError
from rsis.files.atomic import atomic_path
from rsis.own_data.examine import Examined
from rsis.own_data.recognized import Recognized
from rsis.own_data.suggest import run_numbers

_WIDTH = 120  # characters of a line
_EMPTY = """# What there is to train on, and what to train. Sizes are [height, width] in pixels, epochs count from 0.
# `rsis keys` explains every key, `rsis keys train.lr` one.

datasets:

runs:

default:                          # what `dvc repro` without a target builds
  datasets: []
  runs: {}
"""


def blocks(name: str, folder: Path, class_name: str, found: Examined) -> tuple[str, str]:
    """Return the entries under `datasets` and under `runs`, as indented YAML.

    Args:
        name: Name of both entries.
        folder: The user's folder, as it is written to the file.
        class_name: Class of the objects, for formats without classes.
        found: The folder, examined.
    """
    return _dataset_block(name, folder, class_name, found), _run_block(name, found)


def _dataset_block(name: str, folder: Path, class_name: str, found: Examined) -> str:
    recognized, findings, chosen, reading = found.recognized, found.findings, found.chosen, found.reading
    lines = [f"  {_text(name)}:", f"    format: {recognized.format}"]
    lines += class_lines(recognized, class_name)
    lines.append(f"    source: {{kind: folder, path: {_text(folder.as_posix())}}}")
    lines.append(f"    size: [{chosen.size[0]}, {chosen.size[1]}]  # {chosen.reasons['size']}")
    if recognized.crowd:
        lines.append(f"    crowd: {recognized.crowd}  # {recognized.crowd_reason}")
    if findings.bad:
        lines.append(f"    skip_bad: true  # {findings.bad} of the images looked at cannot be used")
    for key, value in reading.keys.items():
        because = f"  # {reading.reasons[key]}" if key in reading.reasons else ""
        lines.append(f"    {key}: {_value(value)}{because}")
    lines.append("    splits:")
    for split, section in recognized.splits.items():
        items = ", ".join(f"{key}: {_value(value)}" for key, value in section.items())
        lines.append(f"      {split}: {{{items}}}")
    return "\n".join(lines) + "\n"


def class_lines(recognized: Recognized, class_name: str) -> list[str]:
    """Return the lines of the data set that name its classes; a list that is too long for one line has several.

    Args:
        recognized: The layout of the folder.
        class_name: Class of the objects, for annotations without classes.
    """
    return [line for key, value in recognized.class_keys(class_name).items() for line in _wrapped(key, value)]


def _run_block(name: str, found: Examined) -> str:
    chosen, name = found.chosen, _text(name)
    reasons, more = chosen.reasons, run_numbers(chosen, found.findings)
    height, width = chosen.size
    return f"""  {name}:
    dataset: {name}
    model:
      decoder: pointer  # or convlstm, the paper's, which needs hidden_widths (docs/network.md)
      backbone: resnet18  # or resnet34, resnet50, resnet101, vgg16
      weights: null  # null: from scratch; IMAGENET1K_V1: from ImageNet, with a smaller lr_encoder
      stride: 16  # of the deepest features: 16 or 32; the larger one sees more of the image at once
      normalization: image  # by the image's own mean and deviation, for different exposures; or imagenet
    train:
      epochs: {chosen.epochs}  # {reasons["epochs"]}
      batch_size: {chosen.batch_size}  # {reasons["batch_size"]}
      num_steps: {chosen.num_steps}  # {reasons["num_steps"]}
      max_instances: {chosen.num_steps}  # most objects of an image, as many as steps; the largest are kept
      order: free  # the network chooses the order of the objects; or left_to_right, size, random
      optimizer: muon  # or adam, adamw, sgd; lr_kernels is for muon only
      lr: 2e-3  # of decoder and skips
      lr_encoder: 2e-3  # of the backbone
      lr_kernels: 0.02  # of the decoder's and skips' kernels
      lr_schedule: one_cycle  # or constant, cosine
      precision: auto  # bf16 where that is faster, as measured; or fp32, bf16
      weight_decay: 0.01
      clip_norm: 1.0  # the largest norm of the gradient
      augment:  # random changes of the pictures; `rsis keys augment` lists all
        flip: true
        flip_vertical: true
        transpose: {str(height == width).lower()}  # for square sizes
        rotation: 15  # degrees
        zoom: [0.6, 1.2]  # below 1 magnifies
        aspect: 0.15
        anywhere: true
        border: mirror
        brightness: 0.25
        contrast: 0.25
        gamma: 0.3
      # the epochs from which the class and objectness terms are part of the loss, and their weights
      objective: {{class_weight: 0.3, class_from_epoch: 0, stop_weight: 0.3, stop_from_epoch: 0, mask_pairs: 64}}
      validate_every: {more["validate_every"]}  # epochs
      keep: last  # or best: the weights of the best validation
    # num_steps: the most objects of a picture, also more than in training. The sequence ends below
    # objectness_threshold: lower finds more objects, also wrong ones. exclusive: a pixel in two masks is kept only in
    # the more probable one. Also: mask_threshold, 0.5 by default
    predict: {{split: {more["split"]}, num_steps: {more["most_steps"]}, precision: auto, objectness_threshold: 0.4,
      exclusive: true}}
    score: {{scorers: {more["scorers"]}}}  # cvppp: symmetric best dice and counts; coco: AP
"""


def add_entries(path: Path, name: str, dataset: str, run: str) -> None:
    """Add the entries at the end of `datasets` and of `runs`; everything else stays the same, byte for byte.

    The new content is validated, as by every command, before it replaces the file. A missing file is created.

    Args:
        path: The file params.yaml.
        name: Name of both entries.
        dataset: The entry under `datasets`, see `blocks`.
        run: The entry under `runs`, see `blocks`.

    Raises:
        UserError: There is such a name already, the file lacks one of the sections, or the result is not valid.
    """
    path = path.resolve()  # a link stays a link: the file it points to is replaced
    text = path.read_bytes().decode("utf-8") if check_name(path, name) else _EMPTY
    for section, block in (("datasets", dataset), ("runs", run)):
        text = _insert(text, section, block, path)
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))
        try:
            load_params(temporary)
        except UserError as error:
            raise UserError(
                f"{str(error).replace(str(temporary), str(path))}; put the entries in by hand (--dry-run prints them)"
            ) from error


def check_name(path: Path, name: str) -> bool:
    """Return whether the file exists; if so, check that it is valid and that the name is not taken.

    Raises:
        UserError: There is such a name already, or the file is not valid.
    """
    if not path.exists():
        return False
    params = load_params(path)
    runs = {*params.runs, *params.members}
    for section, names in (("datasets", params.datasets), ("runs", runs), ("comparisons", params.comparisons)):
        if name in names:
            raise UserError(f"{path}: {section} has {name} already; take another --name, or delete that entry")
    return True


def _insert(text: str, section: str, block: str, path: Path) -> str:
    """Insert a block after the last entry of a top-level section."""
    lines = text.splitlines(keepends=True)
    newline = "\r\n" if "\r\n" in text else "\n"
    starts = [i for i, line in enumerate(lines) if re.match(rf"{section}:\s*(#.*)?$", line)]
    if len(starts) != 1:
        raise UserError(
            f"{path}: has no line `{section}:` of its own; add one, or put the entries in by hand (--dry-run)"
        )
    end = next((i for i in range(starts[0] + 1, len(lines)) if re.match(r"[^\s#]", lines[i])), len(lines))
    while end > starts[0] + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1  # blank lines and comments before the next section belong to it
    between = newline if end > starts[0] + 1 else ""
    if lines[end - 1][-1:] != "\n":
        between = newline + between
    return "".join(lines[:end]) + between + block.replace("\n", newline) + "".join(lines[end:])


def _wrapped(key: str, value: object) -> list[str]:
    key = f"    {key}: "
    if isinstance(value, dict):
        items, (opening, closing) = [f"{_text(name)}: {_value(item)}" for name, item in value.items()], "{}"
    elif isinstance(value, tuple):
        items, (opening, closing) = [_value(item) for item in value], "[]"
    else:
        return [f"{key}{_value(value)}"]
    whole = f"{key}{opening}{', '.join(items)}{closing}"
    if len(whole) <= _WIDTH:
        return [whole]
    lines = [f"{key}{opening}"]
    line = " " * 6
    for item in items:
        if len(line) + len(item) + 2 > _WIDTH and line.strip():
            lines.append(line.rstrip())
            line = " " * 6
        line += f"{item}, "
    return [*lines, line.rstrip(" ,"), f"    {closing}"]


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return _text(str(value))


def _text(value: str) -> str:
    """Return a YAML scalar: plain if the YAML parsers of both engines read it as this text, otherwise quoted."""
    if re.fullmatch(r"[\w./][\w./ -]*", value) and not value.endswith(" "):
        readings = (yaml.safe_load(value), YAML(typ="safe", pure=True).load(value))
        if readings == (value, value):
            return value
    return json.dumps(value, ensure_ascii=False)
