"""Read settings that other programs wrote, in a model's metadata or in files beside it."""
