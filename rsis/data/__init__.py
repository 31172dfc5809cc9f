"""Data sets: download and generation of raw data, readers of its formats, prepared files."""
