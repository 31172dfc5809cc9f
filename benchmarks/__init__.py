"""Time and memory of every part, compared with a simple implementation; see `python -m benchmarks --help`."""
