"""The scorers, one for each benchmark."""
