"""Prepared data: one HDF5 file per split, with images and maps at the network's input size."""
