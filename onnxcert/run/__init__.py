"""Many inputs: jobs, checkpoints, progress."""
