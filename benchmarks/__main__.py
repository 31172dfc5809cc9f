"""Run the measurements: python -m benchmarks (or `make bench`).

Exit codes: 0 done, 2 an error that the user can correct (one line says how), 130 interrupted.
"""

import argparse
import importlib
import logging
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import torch
from rich.console import Console

from benchmarks.cases import Case
from benchmarks.machine import describe
from benchmarks.measure import Effort, MeasurementError, Settings
from benchmarks.results import ResultsError, Row, print_machine, print_rows, read_results, write_results
from rsis.errors import UserError
from rsis.machine.allocator import keep_freed_memory
from rsis.machine.cores import available_cores

SUBJECTS = (
    "startup",
    "training",
    "inference",
    "objective",
    "loading",
    "preparation",
    "scoring",
    "memory",
    "scale",
    "roofline",
    "variants",
    "paper",
)
DEFAULT_OUT = Path("reports/benchmarks.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables and write the results; return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)  # a file has no width
    try:
        if options.show is not None:
            _show(console, options.show, options.compare)
        else:
            _measure(console, options)
    except (MeasurementError, ResultsError, UserError) as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.filename or 'disk'}: {error.strerror or error}; put that right and run it again")
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description="Time and memory of every part.")
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help=f"subjects ({', '.join(SUBJECTS)}), or parts of SUBJECT/CASE",
    )
    parser.add_argument("--list", action="store_true", help="list the cases and measure nothing")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to test that all cases run")
    parser.add_argument("--threads", type=_positive, help="threads of torch [default: all cores of this process]")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU if there is one")
    parser.add_argument(
        "--give-back-memory", action="store_true", help="do not change the settings of the C library's allocator"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=60.0,
        help="time after which a case starts no further round, except the first five",
    )
    parser.add_argument("--data", type=Path, help="folder to keep generated data in [default: a temporary one]")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help=f"JSON to write [default: {DEFAULT_OUT}]")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="JSON of an earlier run to compare with")
    parser.add_argument("--show", type=Path, metavar="FILE", help="print the results in FILE and measure nothing")
    return parser


def _measure(console: Console, options: argparse.Namespace) -> None:
    device = _device(options.device)
    before = read_results(options.compare) if options.compare is not None else None  # fail now if the file is wrong
    torch.set_num_threads(options.threads or available_cores())
    torch.set_flush_denormal(True)  # as `rsis train` does; for both implementations
    if not options.give_back_memory:
        keep_freed_memory()  # as `rsis train` does; for both implementations
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".isinstance.treespec, LeafSpec", category=FutureWarning)
    effort = Effort(2, 2, 0.0) if options.quick else Effort(seconds=options.seconds)
    with tempfile.TemporaryDirectory(prefix="benchmarks.") as temporary:
        folder = options.data or Path(temporary)
        settings = Settings(options.quick, torch.get_num_threads(), device, effort, folder.resolve())
        chosen = select(all_cases(settings), options.only)
        if options.list:
            for case in chosen:
                console.print(f"{case.subject}/{case.name}", highlight=False, markup=False)
            return
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.open("a").close()  # fail now, and not after the first case, if it cannot be written
        machine = describe(device).as_dict()
        print_machine(console, machine)
        rows: list[Row] = []
        for number, case in enumerate(chosen, 1):
            console.print(f"{number}/{len(chosen)} {case.subject}: {case.name}", highlight=False, markup=False)
            rows += case.measure()
            write_results(
                options.out, machine, rows, quick=options.quick
            )  # after each case, so that an interruption loses nothing
    _print(console, machine, rows, before)
    console.print(f"results: {options.out}", highlight=False, markup=False)


def all_cases(settings: Settings) -> list[Case]:
    """Return every case of every subject."""
    return [case for name in SUBJECTS for case in _module(name).cases(settings)]


def select(cases: Sequence[Case], names: Sequence[str]) -> list[Case]:
    """Return the cases whose subject is one of `names`, or whose "subject/case" contains one; without names, all.

    Raises:
        ResultsError: A name matches no case.
    """
    for name in names:
        if not any(_chosen(case, name) for case in cases):
            raise ResultsError(f"--only: {name!r} is in no case; `python -m benchmarks --list` names them")
    return [case for case in cases if not names or any(_chosen(case, name) for name in names)]


def _chosen(case: Case, name: str) -> bool:
    return name == case.subject or (name not in SUBJECTS and name in f"{case.subject}/{case.name}")


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.{name}")


def _device(name: str) -> torch.device:
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ResultsError("--device cuda: torch sees no card; use --device cpu")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def _show(console: Console, path: Path, compare: Path | None) -> None:
    machine, rows = read_results(path)
    print_machine(console, machine)
    _print(console, machine, rows, None if compare is None else read_results(compare))


def _print(console: Console, machine: dict, rows: list[Row], before: tuple[dict, list[Row]] | None) -> None:
    if before is not None and before[0] != machine:
        different = ", ".join(key for key in machine if machine[key] != before[0].get(key))
        console.print(f"the earlier run was on another machine or software ({different})", style="yellow")
    print_rows(console, rows, before[1] if before is not None else ())


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"found {value}; expected 1 or more")
    return value


def _fail(message: str) -> int:
    Console(stderr=True, soft_wrap=True, highlight=False).print(
        f"benchmarks: {' '.join(message.split())}", markup=False
    )
    return 2


if __name__ == "__main__":
    sys.exit(main())
