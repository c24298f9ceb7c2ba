"""Accuracy, IoU and part IoU."""
