"""Readers of published data sets of pictures, one file each."""
