"""The comparison report: ours beside what was published."""
