"""The option `--split` of commands about one run: results of another split than the run's own have separate files."""

from collections.abc import Callable
from pathlib import Path

from rsis.cli.options import Split
from rsis.config.params import Params
from rsis.errors import UserError
from rsis.files import paths


class SplitOfRun:
    """A split of a run's data set, and the names of its files.

    Args:
        params: The configuration.
        run: Name of the run.
        split: The split; None takes `predict.split` of the run, its own split.

    Attributes:
        split: Name of the split.
        section: The run's section, with `predict.split` set to this split.
        own: Whether the split is the run's own.
    """

    def __init__(self, params: Params, run: str, split: Split | None) -> None:
        section = params.run(run)
        self._params, self._run = params, run
        self.own = split in (None, section.predict.split)
        self.split = split or section.predict.split
        self.section = section.model_copy(update={"predict": section.predict.model_copy(update={"split": self.split})})

    @property
    def title(self) -> str:
        """The title of its metrics in the output: RUN, or "RUN, split SPLIT"."""
        return self._run if self.own else f"{self._run}, split {self.split}"

    def check_prepared(self, *splits: str) -> None:
        """Raise UserError if one of the prepared splits is made from something else than params.yaml says now."""
        from rsis.tracking.origin import check_prepared

        name = self.section.dataset
        dataset = self._params.dataset(name)
        check_prepared(name, dataset, paths.raw_folder(name), paths.processed_folder(name), splits)

    def path(self, place: Callable[[str], Path]) -> Path:
        """Return the path of a file of RUN or, for another split than the run's own, of RUN-SPLIT.

        Args:
            place: A function of `rsis.files.paths` that returns the path for a name.

        Raises:
            UserError: There is a run called RUN-SPLIT.
        """
        name = self._run if self.own else f"{self._run}-{self.split}"
        if not self.own and name in self._params.members:
            raise UserError(
                f"{place(name)}: there is a run {name}, whose files these are; rename it in params.yaml, or name other "
                "files by the command's options"
            )
        return place(name)
