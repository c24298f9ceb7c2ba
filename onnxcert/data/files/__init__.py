"""Decoding of untrusted files, with limits."""
