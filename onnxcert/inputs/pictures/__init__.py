"""Pictures as files on disk: decoded, upright, in the declared unit."""
