"""Models shipped with onnxcert, one folder each."""
