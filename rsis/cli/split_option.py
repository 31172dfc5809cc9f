"""`--split` of the commands about one run: another split than the run's own has files of its own."""

from collections.abc import Callable
from pathlib import Path

from rsis.cli.options import Split
from rsis.config.params import Params
from rsis.errors import UserError


class SplitOfRun:
    """A split of a run's data set, and what its files are called.

    Args:
        params: The configuration.
        run: Name of the run.
        split: None for the run's own.

    Attributes:
        section: The run's section, its `predict.split` the one asked for.
        own: Whether that is the run's own.
    """

    def __init__(self, params: Params, run: str, split: Split | None) -> None:
        section = params.run(run)
        self._params, self._run = params, run
        self.own = split in (None, section.predict.split)
        self.split = split or section.predict.split
        self.section = section.model_copy(update={"predict": section.predict.model_copy(update={"split": self.split})})

    @property
    def title(self) -> str:
        """What is printed before its figures: RUN, or "RUN, split SPLIT"."""
        return self._run if self.own else f"{self._run}, split {self.split}"

    def path(self, place: Callable[[str], Path]) -> Path:
        """Return the path that `place`, of `rsis.files.paths`, gives for RUN, or for RUN-SPLIT with another split.

        Raises:
            UserError: Another run has that name.
        """
        name = self._run if self.own else f"{self._run}-{self.split}"
        if not self.own and name in self._params.members:
            raise UserError(
                f"{place(name)}: there is a run {name}, whose files these are; rename it in params.yaml, or name other "
                "files by the command's options"
            )
        return place(name)
