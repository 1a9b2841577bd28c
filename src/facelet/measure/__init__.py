"""Evaluation: accuracy with confidence intervals, cost, latency and parity, and the ledger, report and card that show them."""

from facelet.measure.classification import Classification, evaluate
from facelet.measure.ledger.ledger import Ledger, Row, verdict

__all__ = ["Classification", "Ledger", "Row", "evaluate", "verdict"]
