"""Run all stages of a run, one after the other, in one process."""

from collections.abc import Callable, Mapping
from pathlib import Path

import typer

from rsis.machine.extras import EXTRA_OF, missing_of

_WHAT = {
    "download": "fetch the raw files, or record and check those on this machine",
    "prepare": "convert them to one file for each split, at the network's size",
    "train": "train, or resume a training that was stopped",
    "predict": "find the objects at the images' original size",
    "score": "compare them with the annotations",
    "report": "write scores, curves and pictures as a page",
}
_OF_DATASET = ("download", "prepare")


def run_stages(run: str, params: Path, stages: Mapping[str, Callable[..., None]]) -> None:
    """Run the stages; before each, print a line with its number, its name and what it does.

    A finished download or training is not repeated, since these stages check it themselves. The preparation is always
    repeated: it gives the same result, and takes little time compared with the other stages.

    Args:
        run: Name of the run.
        params: The configuration file.
        stages: The commands by name, in order; each takes a name and the configuration file.

    Raises:
        UserError: There is no such run, or a stage failed.
    """
    from rsis.config.params import load_params

    section = load_params(params).run(run)
    if section.train.devices * section.train.nodes > 1:
        from rsis.train.processes import rank

        if rank(section.train) > 0:  # a further process of the training; rank 0 runs all other stages
            stages["train"](run, params)
            return
    for number, (stage, command) in enumerate(stages.items(), 1):
        name = section.dataset if stage in _OF_DATASET else run
        missing = missing_of("matplotlib", "jinja2") if stage == "report" else []
        if missing:
            extra = EXTRA_OF[missing[0]]
            typer.echo(f'report {name}: left out, {missing[0]} is missing; pip install "rsis[{extra}]"')
            continue
        typer.echo(f"{number}/{len(stages)} {stage} {name}: {_WHAT[stage]}")
        command([name] if stage == "report" else name, params)
