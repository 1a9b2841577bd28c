"""Training tasks: named losses of a net on a batch."""
