"""A small model of drawn streets: its scenes, its network and the recipe that trains it."""
