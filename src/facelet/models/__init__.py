"""Model files: their metadata, sessions, self-tests, and the models inside the package."""
