"""The `rsis` command: one subcommand for each stage, each usable without DVC.

Exit codes: 0 done, 2 something the user can put right (one line says what), 75 stopped from outside and ready to
go on, 130 interrupted.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rsis import paths
from rsis.config import load_params
from rsis.console import fail, set_up_logging
from rsis.cores import available_cores
from rsis.errors import UserError
from rsis.lock import held

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Recurrent instance segmentation: from raw images to a scored report, one stage after another. "
    "Run it in the folder that holds params.yaml; every path below is relative to it.",
)

ParamsFile = Annotated[Path, typer.Option("--params", help="The configuration file.")]
DatasetName = Annotated[str, typer.Argument(metavar="DATASET", help="A name under `datasets` in params.yaml.")]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A name under `runs` in params.yaml.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes to use. \\[default: all cores]")]
DEFAULT_PARAMS = Path("params.yaml")


@app.command()
def download(dataset: DatasetName, params: ParamsFile = DEFAULT_PARAMS) -> None:
    """Bring a data set's raw files to data/raw/DATASET, or note and check where they stand.

    Generated data is made; a folder of yours is read where it is and never changed. Either way
    data/raw/DATASET/MANIFEST.json lists every file with its size and SHA-256.
    """
    from rsis.data.download import download as run_download

    section = load_params(params).dataset(dataset)
    with held(paths.lock_file("download", dataset), f"download of {dataset}"):
        manifest = run_download(dataset, section, paths.raw_folder(dataset))
    typer.echo(f"{dataset}: {len(manifest.files)} files in {manifest.root}")


@app.command()
def check(dataset: DatasetName, params: ParamsFile = DEFAULT_PARAMS, workers: Workers = None) -> None:
    """Count what a data set holds, and name what is missing or broken; a folder of yours needs no download first.

    Per split: images, objects per image, sizes, objects of each class. Exit code 2 when anything is missing.
    """
    from rsis.data.check import check as run_check
    from rsis.data.check_table import render

    statistics = run_check(dataset, load_params(params).dataset(dataset), paths.raw_folder(dataset), workers)
    for line in render(statistics):
        typer.echo(line)
    if not statistics.is_whole:
        raise UserError(f"{dataset}: not whole, see above; restore what is named there, or prepare with --skip-bad")


@app.command()
def prepare(
    dataset: DatasetName,
    params: ParamsFile = DEFAULT_PARAMS,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out broken images, name and count them.")] = False,
    workers: Workers = None,
) -> None:
    """Turn a data set's raw files into data/processed/DATASET/{train,val,test}.h5."""
    from rsis.data.prepare import prepare as run_prepare

    section = load_params(params).dataset(dataset)
    with held(paths.lock_file("prepare", dataset), f"preparation of {dataset}"):
        summary = run_prepare(
            dataset,
            section,
            paths.raw_folder(dataset),
            paths.processed_folder(dataset),
            skip_bad=skip_bad or section.skip_bad,
            workers=workers or available_cores(),
        )
    for split, counts in summary.items():
        skipped = f", {counts.skipped} skipped" if counts.skipped else ""
        typer.echo(f"{dataset} {split}: {counts.images} images, {counts.objects} objects{skipped}")


@app.command()
def train(
    run: RunName,
    params: ParamsFile = DEFAULT_PARAMS,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget where an earlier start stopped.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Train a run and write models/RUN.safetensors and history/RUN.

    Killed at any moment and started again, it goes on from the last finished epoch; once finished, it does
    nothing until parameters, data or code change. SIGTERM and SIGUSR1 end it after the step it is at, with exit
    code 75. While another process trains the same run, it waits.
    """
    from rsis.train.processes import rank
    from rsis.train.run import TrainPaths
    from rsis.train.run import train as run_train

    section = load_params(params).run(run)
    places = TrainPaths(
        paths.processed_folder(section.dataset), paths.model_file(run), paths.history_folder(run), paths.STATE
    )
    run_train(run, section, places, progress=not quiet and sys.stderr.isatty(), fresh=fresh)
    if rank(section.train) == 0:
        typer.echo(f"{run}: {places.model}")


@app.command()
def predict(
    run: RunName,
    params: ParamsFile = DEFAULT_PARAMS,
    split: Annotated[str | None, typer.Option(help="Predict this split instead of the run's own.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write. \\[default: predictions/RUN.json]")] = None,
) -> None:
    """Find the objects of a split's images and write them at the images' original sizes."""
    from rsis.predict import predict as run_predict

    section = load_params(params).run(run)
    if split is not None:
        if split not in ("train", "val", "test"):
            raise UserError(f"--split: found {split!r}; expected train, val or test")
        section = section.model_copy(update={"predict": section.predict.model_copy(update={"split": split})})
    target = out or paths.predictions_file(run)
    with held(paths.lock_file("predict", run), f"prediction of {run}"):
        run_predict(
            run,
            section,
            paths.processed_folder(section.dataset),
            paths.model_file(run),
            target,
            progress=sys.stderr.isatty(),
        )
    typer.echo(f"{run}: {target}")


@app.command()
def score(
    run: RunName,
    params: ParamsFile = DEFAULT_PARAMS,
    predictions: Annotated[
        Path | None, typer.Option(help="The file to score. \\[default: predictions/RUN.json]")
    ] = None,
    metrics: Annotated[Path | None, typer.Option(help="The figures to write. \\[default: metrics/RUN.json]")] = None,
    details: Annotated[Path | None, typer.Option(help="The folder for tables. \\[default: scores/RUN]")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Images left out by prepare may lack here too.")] = False,
) -> None:
    """Compare predictions with the raw annotations by the run's scorers and print the figures."""
    from rsis.eval.run import score_run
    from rsis.eval.scores import write_scores
    from rsis.manifest import read_manifest

    loaded = load_params(params)
    section = loaded.run(run)
    manifest = read_manifest(paths.raw_folder(section.dataset))
    dataset = loaded.dataset(section.dataset)
    if skip_bad:
        dataset = dataset.model_copy(update={"skip_bad": True})
    with held(paths.lock_file("score", run), f"scoring of {run}"):
        scores = score_run(predictions or paths.predictions_file(run), dataset, manifest.root, section.score, manifest)
        write_scores(scores, metrics or paths.metrics_file(run), details or paths.scores_folder(run))
    for key, value in sorted(scores.metrics.items()):
        typer.echo(f"{run} {key} {value:.4f}")


@app.command()
def submit(
    run: RunName,
    params: ParamsFile = DEFAULT_PARAMS,
    predictions: Annotated[
        Path | None, typer.Option(help="The file to submit. \\[default: predictions/RUN.json]")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write. \\[default: submissions/RUN]")] = None,
) -> None:
    """Write predictions in the form that the organisers of the run's benchmark take.

    CVPPP: the challenge's HDF5 file and label PNGs.
    Cityscapes: the test server's text files and masks.
    VOC and COCO: results as COCO JSON.
    """
    from rsis.manifest import read_manifest
    from rsis.submit import submit as run_submit

    loaded = load_params(params)
    section = loaded.run(run)
    root = read_manifest(paths.raw_folder(section.dataset)).root
    folder = out or paths.submission_folder(run)
    run_submit(run, section, loaded.dataset(section.dataset), root, predictions or paths.predictions_file(run), folder)
    typer.echo(f"{run}: {folder}")


@app.command()
def report(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN...", help="Names under `runs` or `comparisons` in params.yaml."),
    ] = None,
    params: ParamsFile = DEFAULT_PARAMS,
    name: Annotated[
        str | None, typer.Option(help="Name of the report. \\[default: the first run, or `experiments`]")
    ] = None,
    experiments: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME...", help="DVC experiments to compare; with it, names that are no run are more."),
    ] = None,
) -> None:
    """Write reports/NAME.md, .html and .csv: the runs beside what was published, with curves and a gallery.

    A name under `comparisons` stands for its runs, and a run with `seeds` for one run of each.
    """
    from rsis.manifest import read_manifest
    from rsis.report.experiments import Experiment
    from rsis.report.page import RunInputs
    from rsis.report.write import write_report

    loaded = load_params(params)
    compared = list(experiments or [])
    names = [item for item in runs or [] if not compared or item in loaded.compared or item in loaded.members]
    compared += [item for item in runs or [] if item not in names]
    runs = [run for item in names for run in loaded.compared.get(item, (item,))]
    states: tuple[Experiment, ...] = ()
    if compared:
        from rsis.report.dvc_revisions import load_experiments

        states = load_experiments(compared, Path())
    inputs: list[RunInputs] = []
    for run in runs:
        section = loaded.run(run)
        inputs.append(
            RunInputs(
                run=run,
                metrics_path=paths.metrics_file(run),
                scores_folder=paths.scores_folder(run),
                history_folder=paths.history_folder(run),
                predictions_path=paths.predictions_file(run),
                dataset_config=loaded.dataset(section.dataset),
                raw_root=read_manifest(paths.raw_folder(section.dataset)).root,
                run_config=section,
            )
        )
    written = write_report(name or [*names, "experiments"][0], inputs, paths.REPORTS, experiments=states)
    typer.echo(f"report: {written.html}")


@app.command()
def status(
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN...", help="Runs. \\[default: all]")] = None,
    params: ParamsFile = DEFAULT_PARAMS,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say of every run what is done, running, queued, stopped, stale and waiting, and when it last gave a sign of life.

    done, stale: its result is of the parameters, data and code there are now, or of others.
    running, queued: a process is at it, or SLURM has a job for it.
    stopped: it goes on when it is started again.
    waiting: there is nothing yet.
    """
    from rsis.status import render, status_of

    found = status_of(load_params(params), runs or ())
    if as_json:
        typer.echo(json.dumps([asdict(item) for item in found], indent=2))
    else:
        for line in render(found):
            typer.echo(line)


@app.command()
def commit(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN...", help="Runs. \\[default: those of `default` with a report]")
    ] = None,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Record in DVC what Snakemake made, if nothing of it is out of date.

    The way back: after `dvc repro`, `dvc pull` or `dvc checkout`, `snakemake --touch` tells Snakemake what is there.
    """
    from rsis.commit import commit as run_commit

    stages = run_commit(load_params(params), runs or ())
    typer.echo(f"dvc.lock: {len(stages)} stages recorded; git add dvc.lock metrics, and commit")


def main() -> None:
    """Run the command line; the entry point of `rsis`."""
    set_up_logging()
    try:
        app()  # ends by SystemExit: wrong arguments are typer's own affair, in two lines and with code 2
    except UserError as error:
        fail(str(error), error.exit_code)
    except OSError as error:
        fail(f"{error.filename or 'disk'}: {error.strerror or error}; put that right and run the command again")
