"""Tables as text and JSON."""
