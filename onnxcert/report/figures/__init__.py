"""Figures, drawn with matplotlib and Pillow."""
