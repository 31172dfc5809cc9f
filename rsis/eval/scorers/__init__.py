"""The scorers; one file for each benchmark."""
