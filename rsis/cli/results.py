"""The commands about results: submit, report, analyze, status and commit."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rsis.cli.console import print_table
from rsis.cli.options import DEFAULT_PARAMS, ParamsFile, RunName, SplitOption
from rsis.files import paths
from rsis.machine.allocator import keep_freed_memory
from rsis.machine.extras import require

results = typer.Typer()


@results.command()
def submit(
    run: RunName,
    params: ParamsFile = DEFAULT_PARAMS,
    split: SplitOption = None,
    predictions: Annotated[
        Path | None, typer.Option(help="The file to submit. \\[default: predictions/RUN.json]")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write. \\[default: submissions/RUN]")] = None,
) -> None:
    """Write predictions in the format that the organisers of the run's benchmark accept.

    CVPPP: the challenge's HDF5 file and label PNGs.
    Cityscapes: the test server's text files and masks.
    VOC and COCO: results as COCO JSON.
    """
    from rsis.cli.split_option import SplitOfRun
    from rsis.config.params import load_params
    from rsis.submit.run import submit as run_submit
    from rsis.tracking.origin import check_source

    loaded = load_params(params)
    chosen = SplitOfRun(loaded, run, split)
    section = loaded.run(run)
    dataset = loaded.dataset(section.dataset)
    manifest = check_source(section.dataset, dataset, paths.raw_folder(section.dataset))
    folder = out or chosen.path(paths.submission_folder)
    source = predictions or chosen.path(paths.predictions_file)
    run_submit(run, section, dataset, manifest.root, source, folder, split)
    typer.echo(f"{run}: {folder}")


@results.command()
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
        typer.Option(
            metavar="NAME...",
            help="DVC experiments to compare; with this option, arguments that are not runs are experiments too.",
        ),
    ] = None,
    as_reference: Annotated[
        bool, typer.Option("--reference", help="Store the metrics in reports/reference and in the README's tables.")
    ] = False,
) -> None:
    """Write reports/NAME.md, .html and .csv: images from best to worst, and the runs beside published results.

    A name under `comparisons` stands for its runs, and a run with `seeds` for one run with each seed. Prints the runs'
    metrics beside the reference results of the project.
    """
    require("report", "matplotlib", "jinja2")
    from rsis.config.params import load_params
    from rsis.files.manifest import read_manifest
    from rsis.report.page import RunInputs, load_run
    from rsis.report.reference.keep import keep_as_reference
    from rsis.report.reference.results import read_reference, rows_of
    from rsis.report.reference.text import beside
    from rsis.report.run import write_report
    from rsis.report.tables.experiments import Experiment

    loaded = load_params(params)
    compared = list(experiments or [])
    names = [item for item in runs or [] if not compared or item in loaded.compared or item in loaded.members]
    compared += [item for item in runs or [] if item not in names]
    runs = [run for item in names for run in loaded.compared.get(item, (item,))]
    states: tuple[Experiment, ...] = ()
    if compared:
        require("report --experiments", "dvc")
        from rsis.report.tables.dvc_revisions import load_experiments

        states = load_experiments(compared, Path())

    def inputs_of(run: str) -> RunInputs:
        section = loaded.run(run)
        return RunInputs(
            run=run,
            metrics_path=paths.metrics_file(run),
            scores_folder=paths.scores_folder(run),
            history_folder=paths.history_folder(run),
            predictions_path=paths.predictions_file(run),
            dataset_config=loaded.dataset(section.dataset),
            raw_root=read_manifest(paths.raw_folder(section.dataset)).root,
            run_config=section,
        )

    inputs = [inputs_of(run) for run in runs]
    title = name or [*names, "experiments"][0]
    written = write_report(title, inputs, paths.REPORTS, experiments=states)
    if as_reference:
        known = keep_as_reference(loaded, title, inputs, inputs_of, paths.REFERENCE)
    else:
        known = read_reference(paths.REFERENCE)
    print_table(*beside(rows_of(known, [load_run(item)[0] for item in inputs])))
    typer.echo(f"report: {written.html}")


@results.command()
def analyze(
    run: RunName,
    params: ParamsFile = DEFAULT_PARAMS,
    split: SplitOption = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write. \\[default: analysis/RUN]")] = None,
) -> None:
    """Analyse the order in which a trained run predicts objects, as in the paper.

    Writes tables, figures and a page: Kendall's tau with right-to-left, bottom-to-top, large-to-small and the
    activation of each encoder block before and after training, beside the paper's; directions of consecutive objects;
    activations.
    """
    require("analyze", "matplotlib", "jinja2")
    from rsis.cli.split_option import SplitOfRun
    from rsis.config.params import load_params
    from rsis.files.atomic import check_replaceable
    from rsis.files.durable import sweep
    from rsis.machine.lock import locked
    from rsis.order.run import analyze as run_analyze

    chosen = SplitOfRun(load_params(params), run, split)
    folder = out or chosen.path(paths.analysis_folder)
    check_replaceable(folder, "analyze")
    chosen.check_prepared(chosen.split)
    keep_freed_memory()
    with locked(paths.lock_file("analyze", run), f"analysis of {run}"):
        sweep(folder)
        heading, *rows = run_analyze(
            run,
            chosen.section,
            paths.processed_folder(chosen.section.dataset),
            paths.model_file(run),
            folder,
            progress=sys.stderr.isatty(),
        )
    print_table(heading, rows)
    typer.echo(f"{run}: {folder / 'index.html'}")


@results.command()
def status(
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN...", help="Runs. \\[default: all]")] = None,
    params: ParamsFile = DEFAULT_PARAMS,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the state of each stage of every run, and the epoch, best loss and last heartbeat of its training.

    done, stale: there is a result, of the present parameters, data and code, or of others.
    running, queued: a process is working on the stage, or SLURM has a pending job for it.
    stopped: the training was interrupted, and resumes when it is started again.
    waiting: there is no result yet.
    """
    from rsis.config.params import load_params
    from rsis.tracking.status import status_of, table_of

    found = status_of(load_params(params), runs or ())
    if as_json:
        typer.echo(json.dumps([asdict(item) for item in found], indent=2))
    else:
        print_table(*table_of(found))
    for fault in dict.fromkeys(status.fault for status in found if status.fault):
        typer.echo(f"note: {fault}", err=True)


@results.command()
def commit(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN...", help="Runs. \\[default: those of `default` with a report]")
    ] = None,
    params: ParamsFile = DEFAULT_PARAMS,
) -> None:
    """Record Snakemake's results in DVC, if all of them are up to date.

    For the other direction, after `dvc repro`, `dvc pull` or `dvc checkout`, run `snakemake --touch`.
    """
    require("commit", "dvc", "snakemake")
    from rsis.config.params import load_params
    from rsis.tracking.commit import commit as run_commit

    stages = run_commit(load_params(params), runs or ())
    typer.echo(f"dvc.lock: {len(stages)} stages recorded; git add dvc.lock metrics, and commit")
