"""Scoring: prediction file against the benchmark's own annotations, without torch."""
