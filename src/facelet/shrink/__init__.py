"""How a net gets small. Importing it registers its steps."""

from __future__ import annotations

from facelet.shrink import prune, quantize

__all__ = ["prune", "quantize"]
