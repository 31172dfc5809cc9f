"""The commands of the stages: download, check, prepare, train, predict, score."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from rsis.cli.check import check_all, check_each
from rsis.cli.console import note_missing_val, print_table
from rsis.cli.options import (
    DEFAULT_PARAMS,
    DatasetName,
    DatasetNames,
    EveryDataset,
    Force,
    NoteFile,
    ParamsFile,
    RunName,
    SplitOption,
    Workers,
)
from rsis.errors import UserError
from rsis.files import paths
from rsis.machine.allocator import keep_freed_memory

stages = typer.Typer()


@stages.command()
def download(dataset: DatasetName, params: ParamsFile = DEFAULT_PARAMS) -> None:
    """Fetch a data set's raw files to data/raw/DATASET, or record and check those in a folder of yours.

    A generated data set is drawn. A folder of yours is read where it is and never changed. In all cases
    data/raw/DATASET/MANIFEST.json lists every file with its size and SHA-256.
    """
    from rsis.config.params import load_params
    from rsis.data.download.run import download as run_download
    from rsis.files.durable import sweep
    from rsis.machine.lock import locked

    section = load_params(params).dataset(dataset)
    try:
        with locked(paths.lock_file("download", dataset), f"download of {dataset}"):
            sweep(paths.raw_folder(dataset))
            manifest = run_download(dataset, section, paths.raw_folder(dataset))
    except UserError:
        paths.SOURCES_NOTE.unlink(missing_ok=True)  # then the next bare `dvc repro` lists the missing data again
        raise
    typer.echo(f"{dataset}: {len(manifest.files)} files in {manifest.root}")


@stages.command()
def check(
    datasets: DatasetNames = None,
    params: ParamsFile = DEFAULT_PARAMS,
    every: EveryDataset = False,
    note: NoteFile = None,
    workers: Workers = None,
) -> None:
    """Count the content of data sets, and list missing or broken files; a folder of yours needs no download first.

    For each split: images, objects per image, sizes, objects of each class. With --all, only a line for each data set
    of `default`: there, generated, to fetch, missing (and how to get it) or broken. Exit code 2 if data on this machine
    is broken.
    """
    if every == bool(datasets):
        raise UserError("check: name data sets, or give --all for those of default; expected one of the two")
    if every:
        check_all(params, note)
    else:
        check_each(params, datasets or (), workers)


@stages.command()
def prepare(
    dataset: DatasetName,
    params: ParamsFile = DEFAULT_PARAMS,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out broken images; list and count them.")] = False,
    workers: Workers = None,
) -> None:
    """Convert a data set's raw files to data/processed/DATASET/{train,val,test}.h5."""
    from rsis.config.params import load_params
    from rsis.data.prepared.run import prepare as run_prepare
    from rsis.files.durable import sweep
    from rsis.machine.lock import locked
    from rsis.tracking.account import Account, table_of
    from rsis.tracking.agreement import comparison_of
    from rsis.tracking.origin import check_source

    section = load_params(params).dataset(dataset)
    check_source(dataset, section, paths.raw_folder(dataset))
    if skip_bad:
        section = section.model_copy(update={"skip_bad": True})
    with locked(paths.lock_file("prepare", dataset), f"preparation of {dataset}"):
        sweep(paths.processed_folder(dataset))
        summary = run_prepare(
            dataset,
            section,
            paths.raw_folder(dataset),
            paths.processed_folder(dataset),
            skip_bad=section.skip_bad,
            workers=workers,
            wrap=comparison_of(section),
        )
    note_missing_val(summary)
    typer.echo(f"{dataset}: {paths.processed_folder(dataset)}")
    accounts = [Account(split, one.images, one.left_out, one.objects, one.dropped) for split, one in summary.items()]
    print_table(*table_of(accounts), numbers=True)


@stages.command()
def train(
    run: RunName,
    params: ParamsFile = DEFAULT_PARAMS,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Delete the state of an earlier start, and start over.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar, no line for each epoch.")] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Time 20 steps, print the time and the memory of the training, and end.")
    ] = False,
) -> None:
    """Train a run and write models/RUN.safetensors and history/RUN.

    A training that was killed resumes from its last finished epoch when it is started again. A finished training is
    not repeated until parameters, data or code change. SIGTERM and SIGUSR1 end the training after the current step,
    with exit code 75. If another process trains the same run, the command waits for it.
    """
    from rsis.cli.split_option import SplitOfRun
    from rsis.config.params import load_params
    from rsis.train.processes import rank
    from rsis.train.run import TrainPaths
    from rsis.train.run import train as run_train

    chosen = SplitOfRun(load_params(params), run, None)
    section = chosen.section
    chosen.check_prepared("train", "val")
    keep_freed_memory()
    if estimate:
        from rsis.train.estimate import estimate as time_steps
        from rsis.train.validation import open_splits

        splits = open_splits(paths.processed_folder(section.dataset))
        validated = len(splits["val"]) if "val" in splits else 0
        print_table((), time_steps(section, splits["train"], validated=validated).rows().items())
        return
    places = TrainPaths(
        paths.processed_folder(section.dataset), paths.model_file(run), paths.history_folder(run), paths.STATE
    )
    run_train(run, section, places, progress=not quiet, fresh=fresh)
    if rank(section.train) == 0:
        typer.echo(f"{run}: {places.model}")


@stages.command()
def predict(
    run: RunName,
    params: ParamsFile = DEFAULT_PARAMS,
    split: SplitOption = None,
    out: Annotated[Path | None, typer.Option(help="The file to write. \\[default: predictions/RUN.json]")] = None,
    force: Force = False,
) -> None:
    """Find the objects in a split's images, and write their masks at the images' original sizes."""
    from rsis.cli.split_option import SplitOfRun
    from rsis.config.params import load_params
    from rsis.files.durable import sweep
    from rsis.files.ownership import check_file
    from rsis.machine.lock import locked
    from rsis.predict.run import predict as run_predict

    chosen = SplitOfRun(load_params(params), run, split)
    target = out or chosen.path(paths.predictions_file)
    check_file(target, "predictions", force=force)
    chosen.check_prepared(chosen.split)
    keep_freed_memory()
    with locked(paths.lock_file("predict", run), f"prediction of {run}"):
        sweep(target)
        run_predict(
            run,
            chosen.section,
            paths.processed_folder(chosen.section.dataset),
            paths.model_file(run),
            target,
            progress=sys.stderr.isatty(),
        )
    typer.echo(f"{run}: {target}")


@stages.command()
def score(
    run: RunName,
    params: ParamsFile = DEFAULT_PARAMS,
    split: SplitOption = None,
    predictions: Annotated[
        Path | None, typer.Option(help="The file to score. \\[default: predictions/RUN.json]")
    ] = None,
    metrics: Annotated[
        Path | None,
        typer.Option(
            help="The file of metrics to write. \\[default: metrics/RUN.json; of another split scores/RUN-SPLIT.json]"
        ),
    ] = None,
    details: Annotated[Path | None, typer.Option(help="The folder for tables. \\[default: scores/RUN]")] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Accept that images left out by prepare have no prediction.")
    ] = False,
    workers: Workers = None,
    force: Force = False,
) -> None:
    """Compare predictions with the raw annotations by the run's scorers, and print the metrics."""
    from rsis.cli.split_option import SplitOfRun
    from rsis.config.params import load_params
    from rsis.eval.nothing import nothing_found
    from rsis.eval.run import Origin, score_run
    from rsis.eval.scores import write_scores
    from rsis.files.atomic import check_replaceable
    from rsis.files.durable import sweep
    from rsis.files.ownership import check_file
    from rsis.machine.lock import locked
    from rsis.tracking.origin import check_source

    loaded = load_params(params)
    chosen = SplitOfRun(loaded, run, split)
    section = chosen.section
    figures = metrics or chosen.path(paths.metrics_file if chosen.own else paths.split_metrics_file)
    folder = details or chosen.path(paths.scores_folder)
    check_replaceable(folder, "score")  # fail now, and not after minutes of scoring
    source = predictions or chosen.path(paths.predictions_file)
    check_file(figures, "metrics", force=force)
    dataset = loaded.dataset(section.dataset)
    manifest = check_source(section.dataset, dataset, paths.raw_folder(section.dataset))
    if skip_bad:
        dataset = dataset.model_copy(update={"skip_bad": True})
    with locked(paths.lock_file("score", run), f"scoring of {run}"):
        origin = Origin(run, section.dataset, chosen.split, chosen.own, paths.model_file(run))
        scores = score_run(source, dataset, manifest.root, section.score, manifest, origin, workers)
        sweep(figures, folder)
        write_scores(scores, figures, folder)
    if nothing := nothing_found(scores):
        typer.echo(f"{chosen.title}: {nothing}")
        return
    for key, value in sorted(scores.metrics.items()):
        typer.echo(f"{chosen.title} {key} {value:.4f}")
