"""From a checkpoint and a prepared split to a prediction file."""
