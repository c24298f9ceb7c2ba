"""Point clouds as files on disk: formats, data sets, and the points that are kept."""
