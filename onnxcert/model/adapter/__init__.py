"""From a file's input to the network's input, one file a modality."""
