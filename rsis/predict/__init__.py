"""Prediction: a checkpoint and a prepared split give a prediction file."""
