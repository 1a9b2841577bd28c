"""Reading and writing: files that are never half written, pixels, image headers."""
