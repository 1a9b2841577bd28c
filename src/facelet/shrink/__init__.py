"""How a net gets small. Importing it registers its steps."""

from __future__ import annotations

from facelet.shrink import exit, prune, quantize

__all__ = ["exit", "prune", "quantize"]
