"""The Python API: each command of the command line as one function, its options as keywords.

The functions are imported by `onnxcert` on first use; this package itself imports nothing, so that
each function loads only what it needs.
"""
