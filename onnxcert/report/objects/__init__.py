"""What `--json` prints, as plain values; docs/schema/onnxcert-1.json describes it."""
