"""RSIS: recurrent neural networks for semantic instance segmentation (Salvador et al., 2017)."""

__version__ = "0.1.0"
