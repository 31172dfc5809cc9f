"""Write a report: Markdown with its pictures, one self-contained HTML page, and the numbers as CSV.

Equal inputs give equal bytes: the files do not contain the time of writing.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rsis.errors import UserError
from rsis.files.atomic import MARK, atomic_folder, atomic_path, check_replaceable
from rsis.report.figures.breakdown import breakdown
from rsis.report.figures.panel import ReportImage, smaller
from rsis.report.page import RunInputs, load_run, run_page
from rsis.report.reference.results import NAME as RESULTS
from rsis.report.reference.results import Reference, write_results
from rsis.report.reference.text import readme
from rsis.report.render import render
from rsis.report.tables.ablation import ablations
from rsis.report.tables.comparison import compare
from rsis.report.tables.experiments import Experiment, tabulate
from rsis.report.tables.long_table import long_table
from rsis.report.tables.networks import network_table
from rsis.report.tables.published import Published, load_published
from rsis.report.tables.seeds import seed_tables

RESERVED = ("readme", "reference")  # names of other files and folders in reports/, in lower case
MANY_RUNS = 4  # reports on this number of runs or more show three images of each instead of six


@dataclass(frozen=True)
class ReportPaths:
    """The files of a report; the Markdown links the pictures in the folder `figures`."""

    markdown: Path
    html: Path
    csv: Path
    figures: Path


def write_report(
    name: str,
    inputs: Sequence[RunInputs],
    folder: Path,
    published: Published | None = None,
    experiments: Sequence[Experiment] = (),
) -> ReportPaths:
    """Write `<folder>/<name>.md`, `.html` and `.csv`, and `<folder>/<name>/` with the Markdown's pictures.

    Everything is rendered before the first file is written.

    Args:
        name: Name of the report: letters, digits, "_", "-" and ".".
        inputs: The runs, in the order of the report; they may have different data sets.
        folder: The folder to write to.
        published: Results from the literature; by default those in the package.
        experiments: DVC experiments to compare; the first one is the baseline.

    Raises:
        UserError: There is neither a run nor an experiment; the name is invalid, reserved, or that of other files; an
            input is missing or malformed; the inputs of a run do not belong together; or a file cannot be written.
    """
    paths = _places(name, folder)
    if not inputs and not experiments:
        raise UserError(f"report {name}: no run to report; name at least one of params.yaml's runs")
    rendered = _render(name, inputs, published, experiments, 6 if len(inputs) < MANY_RUNS else 3)
    with atomic_folder(paths.figures, "report") as temporary:
        for picture in rendered.pictures:
            (temporary / picture.name).write_bytes(picture.data)
    for path in (paths.markdown, paths.html, paths.csv):
        with atomic_path(path) as temporary:
            temporary.write_text(rendered.texts[path.suffix[1:]], encoding="utf-8")
    return paths


def write_reference(name: str, inputs: Sequence[RunInputs], folder: Path, reference: Reference) -> None:
    """Write a folder of reference results: README.md, results.json, and a small report as Markdown.

    Args:
        name: Name of the report.
        inputs: Its runs.
        folder: The folder to write; earlier reference results there are replaced.
        reference: The metrics of all trainings.

    Raises:
        UserError: See `write_report`.
    """
    rendered = _render(name, inputs, None, (), 1)
    with atomic_folder(folder, "report") as temporary:
        (temporary / name).mkdir()
        for picture in map(smaller, rendered.pictures):
            (temporary / name / picture.name).write_bytes(picture.data)
        (temporary / f"{name}.md").write_text(rendered.texts["md"], encoding="utf-8")
        command = f"{_command(name, [item.run for item in inputs], [])} --reference"
        (temporary / "README.md").write_text(readme(reference, name, command), encoding="utf-8")
        write_results(temporary / RESULTS, reference)


@dataclass(frozen=True)
class _Rendered:
    """The content of a report: its texts by file suffix, and the pictures that the Markdown links."""

    texts: dict[str, str]
    pictures: tuple[ReportImage, ...]


def _render(
    name: str,
    inputs: Sequence[RunInputs],
    published: Published | None,
    experiments: Sequence[Experiment],
    shown: int,
) -> _Rendered:
    """Make the whole content of a report; its gallery shows at most `shown` images of each run."""
    loaded = [load_run(item) for item in inputs]
    runs = [run for run, _ in loaded]
    command = _command(name, [item.run for item in inputs], [item.name for item in experiments[1:]])
    pages = [run_page(command, item, *read, shown) for item, read in zip(inputs, loaded, strict=True)]
    numbers = published or load_published()
    comparisons = compare(runs, numbers) + ablations(runs, numbers)
    figures, seeds = breakdown(runs), seed_tables(runs)
    context: dict[str, object] = {"name": name, "pages": pages, "comparisons": comparisons, "breakdown": figures}
    context |= {"experiments": tabulate(experiments), "command": command, "seeds": seeds}
    context["published"] = any(not row.ours for comparison in comparisons for row in comparison.rows)
    context["networks"] = network_table([page.network for page in pages])
    texts = {suffix: render(f"report.{suffix}", context) for suffix in ("md", "html")}
    texts["csv"] = long_table(comparisons, experiments, seeds).to_csv(index=False, lineterminator="\n")
    return _Rendered(texts, (*figures, *(picture for page in pages for picture in page.pictures)))


def _places(name: str, folder: Path) -> ReportPaths:
    """Return the paths of a report of that name, after checking that no other files are there."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise UserError(f"report --name: found {name!r}; expected letters, digits, _, - and . alone, and no folder")
    if name.lower() in RESERVED:
        raise UserError(f"report --name: {name} is kept for the reference results; take another")
    paths = ReportPaths(folder / f"{name}.md", folder / f"{name}.html", folder / f"{name}.csv", folder / name)
    check_replaceable(paths.figures, "report")
    if not (paths.figures / MARK).is_file():
        for path in (paths.markdown, paths.html, paths.csv):
            if path.exists():
                raise UserError(f"{path}: is there and belongs to no report; take another --name, or move it away")
    return paths


def _command(name: str, runs: list[str], experiments: list[str]) -> str:
    """Return the command that writes a report; by default a report has the name of its first run."""
    usual = runs[0] if runs else "experiments"
    compared = ["--experiments", *experiments] if experiments else []
    return shlex.join(["rsis", "report", *runs, *([] if name == usual else ["--name", name]), *compared])
