"""Batches, augmentation, pixel statistics."""
