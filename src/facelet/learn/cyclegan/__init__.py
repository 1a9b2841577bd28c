"""The CycleGAN that makes faces of rare classes."""
