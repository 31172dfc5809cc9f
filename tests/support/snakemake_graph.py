"""Print the jobs of a Snakefile as JSON: the command, the inputs, the outputs and the parameters of each job.

    python tests/support/snakemake_graph.py FOLDER

It runs in a separate process, since Snakemake changes the working folder and the signal handlers.
"""

import contextlib
import json
import sys
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings


def main() -> None:
    """Build the whole graph and print it."""
    folder = Path(sys.argv[1])
    quiet = OutputSettings(quiet={Quietness.ALL})
    with contextlib.redirect_stdout(sys.stderr), SnakemakeApi(quiet) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(),
            snakefile=folder / "Snakefile",
            workdir=folder,
        )
        workflow.dag(DAGSettings(forceall=True)).printrulegraph()
        jobs = [
            {
                "rule": job.rule.name,
                "command": job.shellcmd,
                "inputs": sorted(map(str, job.input)),
                "outputs": sorted(map(str, job.output)),
                "params": sorted(job.params.get("tracked", {})),
                "log": [str(path) for path in job.log],
            }
            for job in workflow._workflow.dag.jobs
            if job.shellcmd
        ]
    print(json.dumps(jobs))  # noqa: T201


if __name__ == "__main__":
    main()
