"""All stages of a run, one after the other, in one process."""

from collections.abc import Callable, Mapping
from pathlib import Path

import typer

from rsis.machine.extras import EXTRA_OF, missing_of

_WHAT = {
    "download": "bring the raw files, or note and check where they stand",
    "prepare": "turn them into one file a split, at the network's size",
    "train": "train, from where an earlier start was stopped",
    "predict": "find the objects at the images' original size",
    "score": "compare them with the annotations",
    "report": "write scores, curves and pictures as a page",
}
_OF_DATASET = ("download", "prepare")


def run_stages(run: str, params: Path, stages: Mapping[str, Callable[..., None]]) -> None:
    """Run the stages, each after a line that says which it is and what it does.

    Each decides itself what is to be done: of data that was brought and of a training that ended nothing is done
    again. Preparing always is: it has the same result, and is quick beside the rest.

    Args:
        run: Name of the run.
        params: The configuration file.
        stages: The commands by their names, in order; all take a name and the configuration file.

    Raises:
        UserError: There is no such run, or a stage says so.
    """
    from rsis.config.params import load_params

    section = load_params(params).run(run)
    if section.train.devices * section.train.nodes > 1:
        from rsis.train.processes import rank

        if rank(section.train) > 0:  # another process of the same training, whose first one does all the rest
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
