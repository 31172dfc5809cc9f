"""Checkpoints: reading, writing, fetching, importing, exporting."""
