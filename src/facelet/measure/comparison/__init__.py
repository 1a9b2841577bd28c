"""Models of several runs side by side."""
