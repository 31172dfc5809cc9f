# What all rules share: the checked parameters, and what a stage depends on besides files.

import os
import signal
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

from rsis.config.params import load_params
from rsis.errors import UserError
from rsis.files.paths import raw_folder

# SLURM sends it to all of a job, this Snakemake within it too: whose death would be that of the training it runs.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)

try:
    PARAMS = load_params(Path("params.yaml"))
except UserError as error:
    raise WorkflowError(str(error))

FILE = yaml.safe_load(Path("params.yaml").read_text())
for key in FILE:
    if config[key] != FILE[key]:
        raise WorkflowError(
            f"--config {key}: the stages read params.yaml, so it would not reach them; change the file"
        )

# What the profile asks of the cluster for each device, see workflow/README.md; "" = no GPUs.
GPU = config.get("gpu", "")

GENERATED = [
    name
    for name, dataset in PARAMS.datasets.items()
    if dataset.source.kind in ("plants", "scenes", "streets")
]
DISTRIBUTED = [
    name
    for name in PARAMS.members
    if PARAMS.run(name).train.devices * PARAMS.run(name).train.nodes > 1
]


wildcard_constraints:
    dataset="|".join(PARAMS.datasets),
    run="|".join(PARAMS.members),


def any_of(names):
    """A wildcard's constraint: one of these names, which may be none."""
    return "|".join(names) or "(?!)"


def sources(*paths):
    """The Python files of the package under these paths; a folder's own time of change says nothing about them."""
    root = Path(workflow.basedir) / "rsis"
    files = [file for path in paths for file in sorted((root / path).rglob("*.py"))]
    files += [root / path for path in paths if (root / path).is_file()]
    return [os.path.relpath(file) for file in files]


def tracked(*paths):
    """The values in params.yaml that a stage depends on, by their paths, as in dvc.yaml."""

    def values(wildcards):
        found = {}
        for path in paths:
            names = dict(wildcards.items())
            if "run" in names:
                names["run"], seed = PARAMS.origin(names["run"])
                if seed is not None:
                    found["seed"] = seed
            value = FILE
            for key in path.split("."):
                value = value[key.format(**names)]
            found[path.format(**names)] = value
        return found

    return values


def show_sources(dag):
    """Say where each data set stands that is to be downloaded now, as a bare `dvc repro` does."""
    # not for the jobs, which read this file too
    from rsis.cli.console import print_table
    from rsis.tracking.sources import LOOKED_AT, look, table_of

    jobs = [
        job for job in dag.needrun_jobs() if job.rule.name in ("download", "generate")
    ]
    names = sorted(
        (job.wildcards.dataset for job in jobs), key=list(PARAMS.datasets).index
    )
    statuses = [look(name, PARAMS.datasets[name], raw_folder(name)) for name in names]
    if statuses:
        print_table(*table_of(statuses), err=True)
        print(LOOKED_AT, file=sys.stderr)


def dataset_of(run):
    """The data set of a run."""
    return PARAMS.run(run).dataset


def processed_of(wildcards):
    """What a run's network reads."""
    return f"data/processed/{dataset_of(wildcards.run)}"


def scored(run):
    """What a report reads of a run."""
    return [
        f"data/raw/{dataset_of(run)}",
        f"history/{run}/plots",
        f"history/{run}/run.json",
        f"metrics/{run}.json",
        f"predictions/{run}.json",
        f"scores/{run}",
    ]


def gres(devices):
    """What is asked of the cluster for so many devices on a node."""
    return f"{GPU}:{devices}" if GPU else ""


def cpus(wildcards):
    """Cores for each process of a training: its own, and those of what loads its data."""
    return PARAMS.run(wildcards.run).train.workers + 1


def memory(wildcards, attempt):
    """MB on each node of a training."""
    return 16000 * PARAMS.run(wildcards.run).train.devices * attempt


def tasks(wildcards):
    """Tasks of a training altogether, or on each node: the plugin takes one of the two, and the latter from 2."""
    train = PARAMS.run(wildcards.run).train
    return (0, train.devices) if train.devices > 1 else (train.nodes, 0)


def launch(wildcards, threads):
    """What starts the processes of a run: srun in a SLURM job; elsewhere, on this machine, Lightning does."""
    train = PARAMS.run(wildcards.run).train
    tasks = f"--nodes={train.nodes} --ntasks={train.nodes * train.devices} --ntasks-per-node={train.devices}"
    return f"${{SLURM_JOB_ID:+srun {tasks} --cpus-per-task={threads} --kill-on-bad-exit=1}}"
