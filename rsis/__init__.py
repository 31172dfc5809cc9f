"""RSIS: recurrent neural networks for semantic instance segmentation (Salvador et al., 2017).

`from rsis import RSIS` is all that using a trained network takes; see `rsis.tool.predictor`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rsis.tool.predictor import RSIS as RSIS
    from rsis.tool.tiles import Tiling as Tiling

__version__ = "0.2.0"
__all__ = ["RSIS", "Tiling", "__version__"]


def __getattr__(name: str) -> Any:
    """Import what is for users when it is asked for: the command line must not wait for torch."""
    match name:
        case "RSIS":
            from rsis.tool.predictor import RSIS

            return RSIS
        case "Tiling":
            from rsis.tool.tiles import Tiling

            return Tiling
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
