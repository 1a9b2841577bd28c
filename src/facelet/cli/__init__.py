"""The `facelet` command: one module per command, each a thin wrapper around a library call.

Heavy packages are imported inside functions, so that `facelet --help` is fast and `facelet predict` does not need PyTorch.
"""
