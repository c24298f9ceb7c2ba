"""Store one certificate in a file, as a packed run of one input."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from onnxcert.results import ResultStore, pack

if TYPE_CHECKING:
    from onnxcert.api.certificate import InputCertificate


def save_certificate(certificate: InputCertificate, path: Path) -> Path:
    """Write the file; see `onnxcert.api.certificate.InputCertificate.save`."""
    record = certificate.record()
    seed = record.tally.draws.seed
    parameters = {k: v for k, v in record.provenance.parameters.items() if k != "seed"}
    with TemporaryDirectory() as name:
        store = ResultStore(Path(name, "run"))
        with store.exclusive():
            store.begin(parameters, seed=seed, random_seed=seed)
            store.note_inputs([record.name], {})
            store.write(record)
            store.derive()
        pack(store, path)
    return path
