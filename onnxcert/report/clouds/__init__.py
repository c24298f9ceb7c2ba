"""Pictures and files of certified point clouds."""
