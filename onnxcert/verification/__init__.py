"""Verification of stored results against their votes, settings, model and inputs."""

from onnxcert.verification.finding import Finding, Verification
from onnxcert.verification.verify import verify

__all__ = ["Finding", "Verification", "verify"]
