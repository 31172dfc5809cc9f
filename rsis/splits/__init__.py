"""Which images belong to the train, val and test splits of a data set."""
