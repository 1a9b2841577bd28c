from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(7)


@pytest.fixture
def faces():
    """Two normalised grey 48 px faces."""
    return torch.randn(2, 1, 48, 48)
