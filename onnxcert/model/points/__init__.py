"""Models of point clouds: their contract, and how points reach them."""
