"""Tables, figures and exported files of runs and records."""
