"""The images of the train, val and test splits of a data set."""
