"""The `rsis` command: one subcommand for each stage, each usable without DVC.

Exit codes: 0 done, 2 an error that the user can correct (one line says how), 75 stopped by a signal and ready to be
resumed, 130 interrupted.
"""

import signal

import typer

from rsis.cli import end_at_once
from rsis.cli.console import fail, set_up_logging
from rsis.cli.init import own_data
from rsis.cli.keys import explanations
from rsis.cli.options import DEFAULT_PARAMS, ParamsFile, RunName
from rsis.cli.results import report, results
from rsis.cli.run import run_stages
from rsis.cli.stages import download, predict, prepare, score, stages, train
from rsis.cli.tool import tool
from rsis.errors import UserError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Recurrent instance segmentation: from raw images to a scored report, one stage after another. "
    "Run it in the folder that contains params.yaml; all paths below are relative to it.",
)


app.add_typer(stages)


@app.command("run")
def run_all(run: RunName, params: ParamsFile = DEFAULT_PARAMS) -> None:
    """Run all stages of a run: download, prepare, train, predict, score and report.

    Each stage is also a separate command. After an interruption, the same command resumes: finished downloads and
    trainings are not repeated. The report is left out if a package that it needs is not installed.
    """
    commands = (download, prepare, train, predict, score, report)
    run_stages(run, params, {command.__name__: command for command in commands})


app.add_typer(results)
app.add_typer(tool)
app.add_typer(own_data)
app.add_typer(explanations)


def main() -> None:
    """Run the command line; the entry point of `rsis`."""
    set_up_logging()
    try:
        if signal.getsignal(signal.SIGINT) is end_at_once:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        app()  # raises SystemExit; typer itself reports wrong arguments, in two lines and with code 2
    except SystemExit as ended:
        if ended.code == 130:
            fail("interrupted", 130)
        raise
    except KeyboardInterrupt:
        fail("interrupted", 130)
    except UserError as error:
        fail(str(error), error.exit_code)
    except OSError as error:
        fail(f"{error.filename or 'disk'}: {error.strerror or error}; put that right and run the command again")
