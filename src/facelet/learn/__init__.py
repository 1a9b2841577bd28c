"""Training of nets. Importing this registers its steps: train, distill, self-distill, embed, balance and logit-adjust."""

from facelet.learn import balance, distill, embed, logit_adjust, self_distill, train  # noqa: F401  (register)
