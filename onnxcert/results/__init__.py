"""Results on disk: HDF5 records, one file per input or all in one packed file."""

from onnxcert.results.merge import MergeResult, merge
from onnxcert.results.pack import Pack, open_results, pack
from onnxcert.results.reader import Results
from onnxcert.results.record import Decision, Record
from onnxcert.results.store import ResultStore

__all__ = [
    "Decision",
    "MergeResult",
    "Pack",
    "Record",
    "ResultStore",
    "Results",
    "merge",
    "open_results",
    "pack",
]
