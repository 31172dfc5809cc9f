"""What `rsis check` prints: of every data set a line, or of some of them all that is in them."""

from collections.abc import Sequence
from pathlib import Path

import typer

from rsis.cli.console import print_table
from rsis.errors import UserError
from rsis.files import paths


def check_all(file: Path, note: Path | None) -> None:
    """Print where each data set of `default` stands.

    Args:
        file: The configuration file.
        note: For DVC: what to write when it was shown. Broken data is no error then: the stage that brings the data
            says what is wrong with it, or mends it.

    Raises:
        UserError: Data that is here is broken.
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
    """Read data sets and print what is in them.

    Raises:
        UserError: One is not in the file, or is not whole; the others are read all the same.
    """
    from rsis.cli.check_table import faults_of, table_of
    from rsis.config.params import load_params
    from rsis.tracking.check import check

    params = load_params(file)
    sections = {name: params.dataset(name) for name in datasets}
    faulty = []
    for name, section in sections.items():
        statistics = check(name, section, paths.raw_folder(name), workers)
        typer.echo(f"{name}: {statistics.root}")
        if statistics.splits:
            print_table(*table_of(statistics), numbers=True)
        for line in faults_of(statistics):
            typer.echo(line)
        if not statistics.is_whole:
            faulty.append(name)
    if faulty:
        names = ", ".join(faulty)
        raise UserError(f"{names}: not whole, see above; restore what is named there, or prepare with --skip-bad")
