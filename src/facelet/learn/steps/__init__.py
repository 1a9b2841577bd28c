"""Options and base classes of the steps that train."""
