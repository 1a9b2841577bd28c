"""Model compression: pruning, quantization, early exits, export. Importing this package registers its steps."""

from __future__ import annotations

from facelet.shrink import adopt, early_exit, exit, prune, prune_at_init, quantize

__all__ = ["adopt", "early_exit", "exit", "prune", "prune_at_init", "quantize"]
