"""Atomic writing of files and folders, digests, the manifest of a raw data set, and the path of each output."""
