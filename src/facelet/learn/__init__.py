"""Training of nets. Importing this registers the steps ``train``, ``distill``, ``self-distill``, ``embed`` and ``balance``."""

from facelet.learn import balance, distill, embed, self_distill, train  # noqa: F401  (register)
