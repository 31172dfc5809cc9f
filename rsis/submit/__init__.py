"""Predictions in the forms that the benchmarks' organisers take."""
