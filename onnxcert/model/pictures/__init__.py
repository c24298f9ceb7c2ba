"""Models of pictures: their contract, and how a picture reaches them."""
