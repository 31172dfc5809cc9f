"""A check of file content which prevents that an option of the command line overwrites a user's own file.

A file that an option names may be written when it is absent, is empty, or has the kind that is about to be written:

    predictions    the first line is the header of a prediction file (`rsis.prediction_file`)
    metrics        a JSON object of finite numbers whose keys name their scorer ("cvppp/sbd")
    checkpoint     safetensors whose metadata has the key "rsis" (`rsis.checkpoint.file`)
    export         ONNX or TorchScript with the metadata that `rsis export` writes (`rsis.checkpoint.export`)
    note           the file that `rsis check --all --note` writes for DVC
"""

import json
import math
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile, ZipFile

from rsis.errors import UserError

Kind = Literal["predictions", "metrics", "checkpoint", "export", "note"]
_LONGEST = 4_000_000  # bytes of a header, or of a metrics file
_FIGURE = re.compile(r"[a-z][a-z0-9_]*/[^/]+")  # SCORER/NAME
_PREDICTIONS = {"checkpoint", "class_names", "dataset", "images", "parameters", "run", "schema_version", "split"}
_WHAT = {
    "predictions": "a prediction file",
    "metrics": "a file of figures",
    "checkpoint": "a checkpoint",
    "export": "an exported network",
    "note": "a note",
}


def check_file(path: Path, kind: Kind, *, force: bool = False) -> None:
    """Refuse to overwrite a file that rsis did not write.

    Args:
        path: The file that is about to be written.
        kind: The kind of file that is about to be written.
        force: Allow any plain file to be overwritten, whatever its content.

    Raises:
        UserError: `path` is a folder or no plain file, or its content is not of that kind and `force` is false.
    """
    remedy = "name another file, or move that away, then run again"
    try:
        if not path.exists():
            return
        if not stat.S_ISREG(path.stat().st_mode):
            what = "a folder" if path.is_dir() else "no plain file"
            raise UserError(f"{path}: is {what}; expected a file to write; {remedy}")
        if force or path.stat().st_size == 0 or _TESTS[kind](path):
            return
    except OSError as error:
        raise UserError(f"{path}: cannot read ({error.strerror or error}); make it readable, or {remedy}") from error
    way = "" if kind == "note" else ", or give --force to replace it"
    raise UserError(f"{path}: is there already and is not {_WHAT[kind]} that rsis wrote; name another file{way}")


def _is_predictions(path: Path) -> bool:
    with path.open("rb") as file:
        opening = file.readline(_LONGEST)
    document = _json(opening.rstrip() + b"]}")
    return isinstance(document, dict) and set(document) == _PREDICTIONS


def _is_metrics(path: Path) -> bool:
    with path.open("rb") as file:
        content = file.read(_LONGEST + 1)
    figures = _json(content) if len(content) <= _LONGEST else None
    return (
        isinstance(figures, dict)
        and figures != {}
        and all(
            bool(_FIGURE.fullmatch(name)) and type(value) in (int, float) and math.isfinite(value)
            for name, value in figures.items()
        )
    )


def _is_checkpoint(path: Path) -> bool:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = _json(file.read(length)) if length <= _LONGEST else None
    described = header.get("__metadata__") if isinstance(header, dict) else None
    return isinstance(described, dict) and "rsis" in described


def _is_export(path: Path) -> bool:
    try:
        with ZipFile(path) as archive:
            return any(name.endswith("/extra/rsis.num_steps") for name in archive.namelist())
    except (BadZipFile, NotImplementedError, ValueError):
        pass
    with path.open("rb") as file:  # an ONNX file is a protobuf message whose last fields are its metadata
        first = file.read(1)
        file.seek(max(0, path.stat().st_size - _LONGEST))
        return first == b"\x08" and b"rsis.num_steps" in file.read()


def _is_note(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(100).startswith(b"`rsis check --all` ")


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


_TESTS: dict[Kind, Callable[[Path], bool]] = {
    "predictions": _is_predictions,
    "metrics": _is_metrics,
    "checkpoint": _is_checkpoint,
    "export": _is_export,
    "note": _is_note,
}
