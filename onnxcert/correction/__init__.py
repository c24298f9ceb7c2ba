"""Multiple-testing procedures that may back a certificate, one a file.

Only procedures valid under *any* dependence between components are here: nobody can verify how
the errors of neighbouring pixels depend on each other. A new one is one file and one line.
"""

from typing import Final

from onnxcert.correction._protocol import Correction
from onnxcert.correction.bonferroni import Bonferroni
from onnxcert.correction.holm import Holm

CORRECTIONS: Final[dict[str, Correction]] = {c.name: c for c in (Bonferroni(), Holm())}

__all__ = ["CORRECTIONS", "Bonferroni", "Correction", "Holm"]
