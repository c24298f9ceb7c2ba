"""Ground truth: label maps, encodings, palettes."""
