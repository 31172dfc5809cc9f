"""Generated everyday scenes in the format of Pascal VOC 2012."""
