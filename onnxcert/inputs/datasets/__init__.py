"""Readers of published image data sets, one file each."""
