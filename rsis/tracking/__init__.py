"""The status of runs and data sets, and recording of results in DVC."""
