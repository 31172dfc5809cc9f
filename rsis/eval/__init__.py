"""Scoring of a prediction file against the raw annotations, without torch."""
