"""The command `rsis init`, for a user's own data."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rsis.cli.console import note_missing_val, print_table
from rsis.cli.options import DEFAULT_PARAMS, ParamsFile
from rsis.errors import UserError
from rsis.files import paths

if TYPE_CHECKING:
    from rsis.own_data.findings import Findings
    from rsis.own_data.suggest import Suggestion

own_data = typer.Typer()
_SHOWN = 5  # most unusable files that are listed


@own_data.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Your annotated pictures.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the data set and of the run. \\[default: that of the folder]")
    ] = None,
    class_name: Annotated[
        str, typer.Option(help="Class of the objects, if the annotations have no classes.")
    ] = "object",
    params: ParamsFile = DEFAULT_PARAMS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the entries, but write no file.")] = False,
) -> None:
    """Read your annotated pictures, and add a data set and a run for them to params.yaml.

    Accepts a COCO instance JSON, pictures with instance maps, or a folder for each picture with a mask for each object.
    Your files are read where they are and never changed.
    """
    from pydantic import TypeAdapter

    from rsis.config.datasets import AnyDataset, Dataset
    from rsis.config.types import NAME_RULE, is_name
    from rsis.files.tree import check_name as check_text
    from rsis.own_data.findings import inspect
    from rsis.own_data.recognize import recognize
    from rsis.own_data.suggest import suggest
    from rsis.own_data.write import add_entries, blocks, check_name

    folder = folder.expanduser()
    check_text(folder)
    title = _name(folder) if name is None else name
    if not is_name(title):
        raise UserError(f"--name: found {title!r}; expected {NAME_RULE}")
    if not class_name.strip() or not class_name.isprintable():
        raise UserError(f"--class-name: found {class_name!r}; expected a name")
    output = paths.output_beside(folder)
    if Path.cwd().resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{folder}: the folder you are in is part of it; run in another, beside {folder.resolve()}")
    if output is not None:
        raise UserError(
            f"{folder}: rsis writes {output} and replaces what stands there; move your pictures to a folder of another "
            f"place or name, such as {title}-pictures, and name that"
        )
    if not dry_run:
        check_name(params, title)  # fail now, and not after minutes of reading
    recognized = recognize(folder)
    section = {"format": recognized.format, "source": {"kind": "folder", "path": str(folder)}, "size": (64, 64)}
    section |= {"splits": dict(recognized.splits)}
    if recognized.format != "coco":
        section["class_name"] = class_name
    dataset: AnyDataset = TypeAdapter(Dataset).validate_python(section)
    findings = inspect(dataset, folder)
    chosen = suggest(findings)
    entries = blocks(title, _place(folder), class_name, recognized, findings, chosen)
    typer.echo(f"{folder}: {recognized.form}")
    print_table((), _summary(findings, chosen).items())
    for line in (*recognized.left_out, *findings.oddities, *findings.problems[:_SHOWN]):
        typer.echo(f"note: {line}", err=True)
    if findings.bad:
        more = f" ({findings.bad - _SHOWN} of them are not named here)" if findings.bad > _SHOWN else ""
        typer.echo(f"note: images left out since they cannot be used: {findings.bad}{more}", err=True)
    note_missing_val(recognized.splits)
    for line in chosen.notes:
        typer.echo(f"note: {line}", err=True)
    if dry_run:
        typer.echo(f"datasets:\n{entries[0]}\nruns:\n{entries[1]}")
        return
    add_entries(params, title, *entries)
    typer.echo(f"{params}: data set and run {title}; change what you like, then")
    typer.echo(f"  rsis run {title}\nwhich is, one stage after the other,")
    for command in ("download", "check", "prepare", "train", "predict", "score", "report"):
        typer.echo(f"  rsis {command} {title}")


def _name(folder: Path) -> str:
    """Return the folder's name, reduced to ASCII letters, digits and _."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", folder.resolve().name).strip("_").lower()
    return plain or "own_data"


def _place(folder: Path) -> Path:
    """Return the folder's path for params.yaml: relative if it is inside the working directory, else absolute."""
    whole = Path(os.path.abspath(folder))  # noqa: PTH100 - links stay, since what they point to may move
    here = Path.cwd()
    return whole.relative_to(here) if whole.is_relative_to(here) else whole


def _summary(findings: "Findings", chosen: "Suggestion") -> dict[str, str]:
    """Return the statistics of the images and the suggested parameters as text, by their labels."""
    import numpy as np

    counts, sides = findings.counts, findings.sides
    many = np.percentile(counts, (50, 95))
    areas = findings.sizes.prod(axis=1)
    smallest, largest = findings.sizes[areas.argmin()], findings.sizes[areas.argmax()]
    return {
        "images": ", ".join(f"{split} {number}" for split, number in findings.images.items()),
        "classes": ", ".join(f"{name} {count}" for name, count in findings.classes.items()),
        "objects an image": f"median {many[0]:.0f}, 95 % up to {many[1]:.0f}, most {counts.max()}",
        "image sizes": " to ".join(f"{h} x {w}" for h, w in (smallest, largest)),
        "object sizes": "median {:.0f}, a tenth below {:.0f} pixels a side".format(*np.percentile(sides, (50, 10))),
        "network's size": f"{chosen.size[0]} x {chosen.size[1]}: {chosen.reasons['size']}",
        "steps T": f"{chosen.num_steps}: {chosen.reasons['num_steps']}",
        "batch": f"{chosen.batch_size}: {chosen.reasons['batch_size']}",
        "training": f"{chosen.epochs} epochs {chosen.reasons['epochs']}",
    }
