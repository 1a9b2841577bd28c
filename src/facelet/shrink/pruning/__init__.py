"""Structured pruning: budgets, channel groups, importance scores, width search."""
