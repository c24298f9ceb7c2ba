"""Small segmentation model of drawn street scenes: scenes, network and training recipe."""
