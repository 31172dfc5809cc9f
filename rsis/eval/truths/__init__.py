"""The ground truth of a split, read from raw annotations; one file for each format."""
