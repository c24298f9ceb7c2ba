"""The models that come with onnxcert, one folder each."""
