"""Generated street scenes in the format of Cityscapes."""
