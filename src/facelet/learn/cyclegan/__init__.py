"""CycleGAN for synthetic faces of rare classes."""
