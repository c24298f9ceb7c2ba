"""Tables, figures and exported files of results.

`onnxcert.report(results)` is the command of this name, too: see `onnxcert.api.report.report`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    """This package, which is called as the public function of the same name.

    A package is an attribute of its parent once it is loaded, so no function can have its name.
    """

    def __call__(self, *args: Any, **words: Any) -> Any:
        """Return the table of a run; see `onnxcert.api.report.report`."""
        return import_module("onnxcert.api.report").report(*args, **words)


sys.modules[__name__].__class__ = _CallablePackage
