"""What is in a set of faces: summary, leaks, overlap, contact sheet."""
