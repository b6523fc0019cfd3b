"""A suggestion built and run on a real engine, beside the image that it would replace."""
