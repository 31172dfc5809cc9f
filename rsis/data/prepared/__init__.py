"""Prepared data: one HDF5 file for each split, at the network's size."""
