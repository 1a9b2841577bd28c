"""Drawing results on photos."""
