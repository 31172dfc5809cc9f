"""What a training leaves on disk while it runs, and how it is resumed from there."""
