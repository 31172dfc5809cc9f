"""The state of a training on disk, and how a training is resumed from it."""
