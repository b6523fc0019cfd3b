"""What each runtime's official images and its applications are made of, one module a runtime."""
