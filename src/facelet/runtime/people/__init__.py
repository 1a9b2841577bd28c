"""Face verification, and identification with galleries of enrolled people."""
