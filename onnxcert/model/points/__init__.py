"""Models of point clouds: their contract, and the adapter of their inputs."""
