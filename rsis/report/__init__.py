"""The comparison report: results of this project beside published ones."""
