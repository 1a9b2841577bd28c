from __future__ import annotations

import pytest
import torch

from facelet.nets.layers.local_patches import LocalPatches


@pytest.mark.parametrize("side", [3, 5, 6, 7, 12, 13, 24, 28])
def test_patches_fit_together(side):
    assert LocalPatches(4, 8)(torch.randn(2, 4, side, side)).shape == (2, 8, -(-side // 2), -(-side // 2))


def test_each_corner_has_its_own_weights():
    local = LocalPatches(4, 8).eval()
    maps = torch.randn(1, 4, 12, 12)
    whole = local(maps)
    torch.testing.assert_close(whole[..., 3:, :3], local.patches[2](maps[..., 6:, :6]))
    changed = maps.clone()
    changed[..., :6, 6:] += 1
    difference = (local(changed) != whole).any(1)[0]
    assert difference[:3, 3:].any()
    assert difference.sum() == difference[:3, 3:].sum()
