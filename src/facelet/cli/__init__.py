"""The `facelet` command: one module per command, each a thin layer over a library call.

Heavy packages are imported inside the functions, so that `facelet --help` is fast and `facelet predict` never needs what trains.
"""
