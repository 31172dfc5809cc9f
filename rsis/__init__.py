"""RSIS: recurrent neural networks for semantic instance segmentation (Salvador et al., 2017).

`from rsis import RSIS` is all that using a trained network takes; see `rsis.predictor`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rsis.predictor import RSIS as RSIS
    from rsis.predictor import Tiling as Tiling

__version__ = "0.1.0"
__all__ = ["RSIS", "Tiling", "__version__"]


def __getattr__(name: str) -> Any:
    """Import what is for users when it is asked for: the command line must not wait for torch."""
    if name in ("RSIS", "Tiling"):
        from rsis import predictor

        return getattr(predictor, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
