"""Everything a user can get wrong, as one exception tree.

    OnnxcertError
    ├── ParameterError    a number or name given to onnxcert is out of range (also a ValueError)
    ├── InputError        a picture, label map or list of them cannot be used
    ├── ModelError        an ONNX file cannot be opened, or must not be certified
    │   └── ContractError how to talk to the model is unknown, ambiguous or contradictory
    ├── DeviceError       the device asked for is not there
    └── StoreError        a result folder cannot be read, written or continued

Each message is one sentence for the person at the keyboard: what was expected, what came,
what to do. The command line prints it without a traceback and exits with status 2.
"""


class OnnxcertError(Exception):
    """Base of every error that a user can cause and mend."""


class ParameterError(OnnxcertError, ValueError):
    """A number or name given to onnxcert is out of range."""


class InputError(OnnxcertError):
    """A picture, label map or list of them cannot be used."""


class ModelError(OnnxcertError):
    """An ONNX file cannot be opened, or must not be certified."""


class ContractError(ModelError):
    """How to talk to the model is unknown, ambiguous or contradictory."""


class DeviceError(OnnxcertError):
    """The device asked for is not there."""


class StoreError(OnnxcertError):
    """A result folder cannot be read, written or continued."""
