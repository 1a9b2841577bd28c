"""The ledger of a run: rows, verdicts, tables."""
