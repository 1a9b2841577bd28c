"""Face sources, one module per data set; each registers itself in SOURCES or PAIRS of facelet.faces.loading."""

from facelet.faces.sources import ckplus, drawn, ferplus, folder, identities, lfw, pack, rafdb, toy, unlabelled

__all__ = ["ckplus", "drawn", "ferplus", "folder", "identities", "lfw", "pack", "rafdb", "toy", "unlabelled"]
