"""Detect a contract from the model file, its metadata and trial passes."""
