"""How nets learn. Importing this registers the steps ``train``, ``distill``, ``self-distill`` and ``balance``."""

from facelet.learn import balance, distill, self_distill, supervised  # noqa: F401  (register)
