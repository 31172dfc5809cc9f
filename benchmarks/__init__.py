"""Time and memory of every part, each beside a plain counterpart; `python -m benchmarks --help`."""
