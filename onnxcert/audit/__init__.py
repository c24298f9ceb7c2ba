"""Verification of stored results against their votes, settings, model and inputs."""

from onnxcert.audit.verify import Finding, Verification, verify

__all__ = ["Finding", "Verification", "verify"]
