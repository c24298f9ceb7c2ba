"""Execution plan: batch size, batch-invariance check."""
