"""Files for other programs: label maps and point clouds."""
