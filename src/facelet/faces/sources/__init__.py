"""Face sources, one module per data set; each registers itself in SOURCES or PAIRS of facelet.faces.loading."""

from facelet.faces.sources import ckplus, ferplus, folder, identities, lfw, pack, rafdb, toy, unlabelled

__all__ = ["ckplus", "ferplus", "folder", "identities", "lfw", "pack", "rafdb", "toy", "unlabelled"]
