"""The `rsis` command."""
