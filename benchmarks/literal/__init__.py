"""A literal implementation of the paper's algorithm, as a baseline for measurements.

It gives the same numbers as `rsis` (a test compares them), and is not slow on purpose. It follows the paper's text: one
decoder step after the other; input and hidden state of a ConvLSTM concatenated and convolved together; every prediction
repeated for every object to compare the two; Munkres' algorithm step by step; no early end of a sequence. From `rsis`
it imports only the common dataclasses and, for predictions, the run-length encoding of masks.
"""
