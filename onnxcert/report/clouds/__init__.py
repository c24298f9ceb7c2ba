"""Figures and exported files of certified point clouds."""
