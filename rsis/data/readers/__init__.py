"""Readers of raw data, one for each format."""
