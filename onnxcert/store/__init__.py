"""Results on disk: HDF5 records, one file per input. The only importer of h5py."""

from onnxcert.store.folder import ResultStore
from onnxcert.store.record import Decision, Record

__all__ = ["Decision", "Record", "ResultStore"]
