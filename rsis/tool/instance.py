"""One object found in a picture."""

from dataclasses import dataclass

import numpy as np

from rsis.predict.patch import Patch


@dataclass(frozen=True)
class Instance:
    """One object found in a picture.

    Attributes:
        number: Its number in predicted order, from 1; its value in the instance map and its number in the overlay.
        patch: Its mask at the picture's original size; masks of one picture may overlap.
        class_id: 1..K-1, the most probable class.
        class_name: Name of this class.
        class_probs: float [K-1], the probability of each class, 0..1.
        objectness: Probability that there is an object at this step, 0..1.
        step: The decoder step that predicted it, from 0; for a picture in tiles, the step in its tile.
    """

    number: int
    patch: Patch
    class_id: int
    class_name: str
    class_probs: np.ndarray
    objectness: float
    step: int

    @property
    def score(self) -> float:
        """Class probability times objectness, 0..1; the paper's released code ranks detections by it."""
        return float(self.class_probs[self.class_id - 1]) * self.objectness

    @property
    def mask(self) -> np.ndarray:
        """The mask, bool [H, W] at the picture's original size, made anew each time."""
        return self.patch.full()

    @property
    def area(self) -> int:
        """Number of pixels of the mask."""
        return self.patch.area

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(top, left, bottom, right) of the mask in pixels, the last two exclusive."""
        return self.patch.box
