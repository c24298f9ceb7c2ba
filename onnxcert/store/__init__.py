"""Results on disk: HDF5 records, one file per input or all in one packed file."""

from onnxcert.store.folder import ResultStore
from onnxcert.store.merge import MergeResult, merge
from onnxcert.store.pack import Pack, open_results, pack
from onnxcert.store.record import Decision, Record
from onnxcert.store.results import Results

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
