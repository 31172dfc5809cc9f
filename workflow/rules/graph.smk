# Common to all rules: the validated parameters, and what a stage depends on in addition to files.

import os
import signal
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

from rsis.config.params import load_params
from rsis.errors import UserError
from rsis.files.paths import raw_folder

# SLURM sends this signal to all processes of a job. If it ended the Snakemake inside the job, the training would be
# killed.
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

# The GPU that the profile requests for each device, see workflow/README.md; "" = no GPUs.
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
    """Return a wildcard's constraint that matches one of these names; without names it matches nothing."""
    return "|".join(names) or "(?!)"


def sources(*paths):
    """Return the Python files of the package under these paths; a folder's modification time would not be enough."""
    root = Path(workflow.basedir) / "rsis"
    files = [file for path in paths for file in sorted((root / path).rglob("*.py"))]
    files += [root / path for path in paths if (root / path).is_file()]
    return [os.path.relpath(file) for file in files]


def tracked(*paths):
    """Return a function of the wildcards that returns the values in params.yaml at these paths, as in dvc.yaml."""

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
    """Print the status of each data set that will be downloaded now, as `dvc repro` does."""
    # imported here, since jobs read this file too and do not need it
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
    """Return the data set of a run."""
    return PARAMS.run(run).dataset


def processed_of(wildcards):
    """Return the folder of the prepared data of a run."""
    return f"data/processed/{dataset_of(wildcards.run)}"


def scored(run):
    """Return the files of a run that a report reads."""
    return [
        f"data/raw/{dataset_of(run)}",
        f"history/{run}/plots",
        f"history/{run}/run.json",
        f"metrics/{run}.json",
        f"predictions/{run}.json",
        f"scores/{run}",
    ]


def gres(devices):
    """Return the SLURM `gres` request for a number of devices on a node."""
    return f"{GPU}:{devices}" if GPU else ""


def cpus(wildcards):
    """Return the number of cores for each process of a training: one for itself, and one for each data worker."""
    return PARAMS.run(wildcards.run).train.workers + 1


def memory(wildcards, attempt):
    """Return the memory for each node of a training, in MB."""
    return 16000 * PARAMS.run(wildcards.run).train.devices * attempt


def tasks(wildcards):
    """Return the tasks in total and on each node; one of them is 0, as the plugin accepts the latter only from 2 on."""
    train = PARAMS.run(wildcards.run).train
    return (0, train.devices) if train.devices > 1 else (train.nodes, 0)


def launch(wildcards, threads):
    """Return the command that starts the processes of a run: srun in a SLURM job; elsewhere Lightning starts them."""
    train = PARAMS.run(wildcards.run).train
    tasks = f"--nodes={train.nodes} --ntasks={train.nodes * train.devices} --ntasks-per-node={train.devices}"
    return f"${{SLURM_JOB_ID:+srun {tasks} --cpus-per-task={threads} --kill-on-bad-exit=1}}"
