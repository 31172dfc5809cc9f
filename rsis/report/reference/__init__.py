"""Reference results: metrics of the project's own runs, kept in the repository for comparison."""
