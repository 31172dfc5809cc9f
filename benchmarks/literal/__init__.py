"""The paper's algorithm written down literally, as a yardstick: one thing after another, nothing shared.

It gives the same numbers as `rsis` (a test holds them together) and is not made slow on purpose. It is what one
writes down when following the text: a step of the decoder after the other, the input and the hidden state of a
ConvLSTM joined and convolved together, every prediction repeated for every object to compare the two, Munkres'
algorithm step by step, and no early end. Nothing of `rsis` is imported here but the dataclasses that both speak
and, for predictions, the run-length code of a finished mask.
"""
