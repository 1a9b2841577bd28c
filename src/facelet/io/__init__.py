"""Reading and writing: atomic file writes, pixels, image headers."""
