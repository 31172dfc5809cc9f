"""Submissions: predictions in the formats that the benchmarks' organisers accept."""
