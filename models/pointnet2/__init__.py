"""PointNet++ for part segmentation: network, training recipe and export."""
