"""Figures of point clouds."""
