"""Whether stored results still fit: their votes, their settings and the files they name."""

from onnxcert.verification.finding import Finding, Verification
from onnxcert.verification.verify import verify

__all__ = ["Finding", "Verification", "verify"]
