"""The sample fleet: generated images, and the small registry that serves them."""
