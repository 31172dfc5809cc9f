"""The command that takes in somebody's own data."""

import os
import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from rsis.cli_arguments import DEFAULT_PARAMS, ParamsFile
from rsis.errors import UserError

own_data = typer.Typer()
_SHOWN = 5  # problems that are spelled out


@own_data.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Your annotated pictures.")],
    name: Annotated[str | None, typer.Option(help="Of the data set and the run. \\[default: the folder's]")] = None,
    class_name: Annotated[str, typer.Option(help="Of the objects, where the annotation does not say.")] = "object",
    params: ParamsFile = DEFAULT_PARAMS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the entries and write nothing.")] = False,
) -> None:
    """Look at pictures of yours and write a data set and a run for them into params.yaml.

    Takes a COCO instance JSON, pictures with instance maps, or a folder for each picture with a mask for each object.
    Your files are read where they are and never changed.
    """
    from pydantic import TypeAdapter

    from rsis.dataset_config import AnyDataset, Dataset
    from rsis.own_data.recognize import recognize
    from rsis.own_data.suggest import inspect, suggest
    from rsis.own_data.write import add_entries, blocks

    recognized = recognize(folder)
    title = name or re.sub(r"\W+", "_", folder.resolve().name).strip("_").lower()
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", title):
        raise UserError(f"--name: found {title!r}; expected letters, digits, _ and - alone")
    section = {"format": recognized.format, "source": {"kind": "folder", "path": str(folder)}, "size": (64, 64)}
    section |= {"splits": dict(recognized.splits)}
    if recognized.format != "coco":
        section["class_name"] = class_name
    dataset: AnyDataset = TypeAdapter(Dataset).validate_python(section)
    findings = inspect(dataset, folder)
    chosen = suggest(findings)
    # relative to the file that will hold it, where the folder lies beside or below it
    base = params.resolve().parent
    inside = base in folder.resolve().parents
    place = folder.resolve().relative_to(base) if inside else Path(os.path.abspath(folder.expanduser()))  # noqa: PTH100
    entries = blocks(title, place, class_name, recognized, findings, chosen)
    Console().print(_table(folder, recognized.form, findings, chosen))
    for line in findings.problems[:_SHOWN]:
        typer.echo(f"note: {line}", err=True)
    if len(findings.problems) > _SHOWN:
        typer.echo(f"note: and {len(findings.problems) - _SHOWN} more", err=True)
    if chosen.tiling:
        typer.echo(f"note: {chosen.tiling}", err=True)
    if dry_run:
        typer.echo(f"datasets:\n{entries[0]}\nruns:\n{entries[1]}")
        return
    add_entries(params, title, *entries)
    typer.echo(f"{params}: data set and run {title}; change what you like, then")
    for command in ("download", "prepare", "train", "predict", "score", "report"):
        typer.echo(f"  rsis {command} {title}")


def _table(folder: Path, form: str, findings: object, chosen: object) -> Table:
    """Say what was found and what follows from it."""
    import numpy as np

    from rsis.own_data.suggest import Findings, Suggestion

    assert isinstance(findings, Findings)
    assert isinstance(chosen, Suggestion)
    table = Table(title=f"{folder}: {form}", show_header=False, title_justify="left")
    counts, sides = findings.counts, findings.sides
    many = np.percentile(counts, (50, 95))
    rows = {
        "images": ", ".join(f"{split} {number}" for split, number in findings.images.items()),
        "classes": ", ".join(f"{name} {count}" for name, count in findings.classes.items()),
        "objects an image": f"median {many[0]:.0f}, 95 % up to {many[1]:.0f}, most {counts.max()}",
        "image sizes": " to ".join(f"{h} x {w}" for h, w in (findings.sizes.min(axis=0), findings.sizes.max(axis=0))),
        "object sizes": "median {:.0f}, a tenth below {:.0f} pixels a side".format(*np.percentile(sides, (50, 10))),
        "network's size": f"{chosen.size[0]} x {chosen.size[1]}: {chosen.reasons['size']}",
        "steps T": f"{chosen.num_steps}: {chosen.reasons['num_steps']}",
        "training": f"{chosen.epochs} epochs of {chosen.reasons['epochs'].removesuffix(' each')}",
    }
    for key, text in rows.items():
        table.add_row(key, text)
    return table
