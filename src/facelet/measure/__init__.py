"""How we know: accuracy with intervals, cost, latency, parity, and the ledger and report that keep them together."""

from facelet.measure.classification import Classification, evaluate
from facelet.measure.ledger.ledger import Ledger, Row, verdict

__all__ = ["Classification", "Ledger", "Row", "evaluate", "verdict"]
