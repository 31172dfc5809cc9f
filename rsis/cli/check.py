"""The output of `rsis check`: a line for each data set, or full statistics of some of them."""

from collections.abc import Sequence
from pathlib import Path

import typer

from rsis.cli.console import note_missing_val, print_table
from rsis.errors import UserError
from rsis.files import paths


def check_all(file: Path, note: Path | None) -> None:
    """Print the status of each data set of `default`.

    Args:
        file: The configuration file.
        note: For DVC: the file to write after printing. Broken data is then not an error, since the download stage
            reports or repairs it.

    Raises:
        UserError: Data on this machine is broken, and there is no `note`.
    """
    from rsis.config.params import load_params
    from rsis.files.atomic import atomic_path
    from rsis.files.ownership import check_file
    from rsis.tracking.sources import LOOKED_AT, NOTE, look, table_of

    params = load_params(file)
    if note is not None:
        check_file(note, "note")
    statuses = [look(name, params.dataset(name), paths.raw_folder(name)) for name in params.default.datasets]
    print_table(*table_of(statuses))
    typer.echo(LOOKED_AT)
    broken = [status.dataset for status in statuses if status.state == "broken"]
    if note is not None:
        with atomic_path(note) as temporary:
            temporary.write_text(NOTE)
    elif broken:
        raise UserError(f"{', '.join(broken)}: broken, see above; restore what is named there, or download it again")


def check_each(file: Path, datasets: Sequence[str], workers: int | None) -> None:
    """Read data sets and print their statistics.

    Args:
        file: The configuration file.
        datasets: Names of data sets.
        workers: Number of reading processes; None chooses it.

    Raises:
        UserError: A name is not in the file, or a data set is incomplete or has broken images; the other data sets are
            read and printed first.
    """
    from rsis.cli.check_table import faults_of, table_of
    from rsis.config.params import load_params
    from rsis.data.readers.turned import frame_note
    from rsis.tracking.check import check

    params = load_params(file)
    sections = {name: params.dataset(name) for name in datasets}
    faulty = []
    for name, section in sections.items():
        statistics = check(name, section, paths.raw_folder(name), workers)
        typer.echo(f"{name}: {statistics.root}")
        if statistics.splits:
            print_table(*table_of(statistics), numbers=True)
        note_missing_val(section.splits)
        for line in faults_of(statistics):
            typer.echo(line)
        for line in statistics.notes:
            typer.echo(f"note: {line}")
        for line in frame_note(section, sum(split.assumed for split in statistics.splits), name):
            typer.echo(f"note: {line}")
        if not statistics.is_whole:
            faulty.append(name)
    if faulty:
        names = ", ".join(faulty)
        raise UserError(f"{names}: not whole, see above; restore what is named there, or prepare with --skip-bad")
