"""Readers of what annotation tools save and export; one file for each format."""
