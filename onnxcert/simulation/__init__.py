"""The paper's experiments on synthetic components, and evidence that the levels hold."""
