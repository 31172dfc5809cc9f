"""The command `rsis init`, for a user's own data."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rsis.cli.console import note_missing_val, print_table
from rsis.cli.options import DEFAULT_PARAMS, MaxPixels, ParamsFile
from rsis.errors import UserError
from rsis.files import paths

if TYPE_CHECKING:
    from rsis.own_data.findings import Findings
    from rsis.own_data.suggest import Suggestion

own_data = typer.Typer()
Crowds = Literal["ignore", "object"]
ESTIMATES = True  # whether a training is timed unless an option says so; the project's own tests switch it off
LONG = 15 * 60  # seconds: for a training that takes longer, a shorter one is named too
FIRST_LOOK = 10 * 60  # seconds of that one


@own_data.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Your annotated pictures.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the data set and of the run. \\[default: that of the folder]")
    ] = None,
    class_name: Annotated[
        str, typer.Option(help="Class of the objects, if the annotations have no classes.")
    ] = "object",
    crowd: Annotated[
        Crowds | None,
        typer.Option(
            help="Of a COCO JSON: what annotations with iscrowd are, groups to ignore or objects. \\[default: objects "
            "if more than a tenth have it]"
        ),
    ] = None,
    page: Annotated[int | None, typer.Option(min=1, help="Of TIFF stacks, the page to use, from 1.")] = None,
    channels: Annotated[
        str | None, typer.Option(help="Channels that become red, green and blue, or grey: 1,2,3 or 2, from 1.")
    ] = None,
    max_pixels: MaxPixels = None,
    params: ParamsFile = DEFAULT_PARAMS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the entries, but write no file.")] = False,
    estimate: Annotated[
        bool | None,
        typer.Option(help="Whether to time a few steps of the training on this machine. \\[default: estimate]"),
    ] = None,
) -> None:
    """Read your annotated pictures, and add a data set and a run for them to params.yaml.

    Accepts a COCO instance JSON, pictures with instance maps, a folder for each picture with a mask for each object,
    and what annotation tools save: YOLO's outlines, JSON of LabelMe, Label Studio and VIA, XML of CVAT, GeoJSON of
    QuPath, ROI files of ImageJ, folders of Pascal VOC and of the Cell Tracking Challenge. Your files are read where
    they are and never changed.
    """
    from rsis.own_data.examine import Wishes, examine
    from rsis.own_data.write import add_entries, blocks, check_name
    from rsis.tracking.account import lines_of, table_of

    folder = folder.expanduser()
    title = _title(folder, name)
    _check_place(folder, title)
    if not class_name.strip() or not class_name.isprintable():
        raise UserError(f"--class-name: found {class_name!r}; expected a name")
    wishes = Wishes(class_name, crowd, page, None if channels is None else _channels(channels), max_pixels)
    if not dry_run:
        check_name(params, title)  # fail now, and not after minutes of reading
    found = examine(folder, title, wishes)
    entries = blocks(title, _place(folder), class_name, found)
    typer.echo(f"{folder}: {found.recognized.form}")
    print_table((), _summary(found.findings, found.chosen).items())
    note_missing_val(found.recognized.splits)
    accounts = found.findings.accounts(found.chosen.size)
    for line in (*found.notes, *lines_of(accounts)):
        typer.echo(f"note: {line}", err=True)
    print_table(*table_of(accounts), numbers=True)
    if dry_run:
        typer.echo(f"datasets:\n{entries[0]}\nruns:\n{entries[1]}")
        return
    add_entries(params, title, *entries)
    if ESTIMATES if estimate is None else estimate:
        _echo_estimate(params, title, found.findings)
    _echo_next(params, title)


def _echo_next(params: Path, title: str) -> None:
    """Print the commands that come next."""
    typer.echo(f"{params}: data set and run {title}; change what you like, then")
    typer.echo(f"  rsis run {title}\nwhich is, one stage after the other,")
    for command in ("download", "check", "prepare", "train", "predict", "score", "report"):
        typer.echo(f"  rsis {command} {title}")


def _echo_estimate(params: Path, title: str, findings: "Findings") -> None:
    """Print how long the training will take, by a few of its steps on random pictures."""
    import numpy as np

    from rsis.config.params import load_params
    from rsis.machine.allocator import keep_freed_memory
    from rsis.machine.progress import duration
    from rsis.train.estimate import estimate_without_data

    loaded = load_params(params)
    run, size = loaded.run(title), loaded.dataset(title).size
    batch, train = run.train.batch_size, findings.images["train"]
    fullest = int(np.percentile(findings.counts, 100 * batch / (batch + 1)))  # of so many random images
    keep_freed_memory()
    pace = estimate_without_data(run, size, len(findings.classes) + 1, train, fullest)
    typer.echo(f"training: about {duration(pace.epoch)} an epoch on this machine, {duration(pace.total)} in all")
    epochs = int(FIRST_LOOK / pace.epoch)
    if pace.total > LONG and epochs > 0:
        typer.echo(
            f"note: for a first look, set epochs: {epochs} of the run ({duration(epochs * pace.epoch)})", err=True
        )


def _check_place(folder: Path, title: str) -> None:
    """Refuse a folder whose name cannot be written down, or that a stage would write into."""
    from rsis.files.tree import check_name

    check_name(folder)
    output = paths.output_beside(folder)
    if Path.cwd().resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{folder}: the folder you are in is part of it; run in another, beside {folder.resolve()}")
    if output is not None:
        raise UserError(
            f"{folder}: rsis writes {output} and replaces what stands there; move your pictures to a folder of another "
            f"place or name, such as {title}-pictures, and name that"
        )


def _channels(text: str) -> tuple[int, ...]:
    """Return the numbers of --channels."""
    parts = re.split(r"[,\s]+", text.strip(" []"))
    if not 1 <= len(parts) <= 3 or not all(re.fullmatch("[1-9][0-9]{0,3}", part) for part in parts):
        raise UserError(f"--channels: found {text!r}; expected one to three numbers from 1, such as 1,2,3")
    return tuple(int(part) for part in parts)


def _title(folder: Path, name: str | None) -> str:
    """Return the name of data set and run: the given one, or the folder's in ASCII letters, digits and _."""
    from rsis.config.types import NAME_RULE, is_name

    if name is None:
        return re.sub(r"[^A-Za-z0-9]+", "_", folder.resolve().name).strip("_").lower() or "own_data"
    if not is_name(name):
        raise UserError(f"--name: found {name!r}; expected {NAME_RULE}")
    return name


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
