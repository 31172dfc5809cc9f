"""Generated data sets in the formats of the benchmarks."""
