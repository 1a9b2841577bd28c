"""How nets learn. Importing this registers the steps ``train``, ``distill`` and ``self-distill``."""

from facelet.learn import distill, self_distill, supervised  # noqa: F401  (register)
