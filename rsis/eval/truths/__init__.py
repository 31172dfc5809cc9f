"""Ground truth of a split, read from the benchmark's raw annotations; one file for each format."""
