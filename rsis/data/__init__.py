"""From a benchmark's own files to batches: readers, preparation, augmentation."""
