"""PointNet++ for parts of shapes: the network, its training recipe and its export."""
