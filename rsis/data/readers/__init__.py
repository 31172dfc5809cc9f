"""Readers of raw data; one file for each format."""
