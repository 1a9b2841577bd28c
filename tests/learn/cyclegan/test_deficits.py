from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facelet.errors import FaceletError
from facelet.faces import load
from facelet.learn.cyclegan.deficits import BalanceOptions, deficits


@pytest.fixture(scope="module")
def train():
    return load("toy?faces=1000&noise=0", size=24).labelled("train")


def wanted(train, **fields):
    return deficits(train, BalanceOptions(**{"to": "largest", "limit": 10.0, "least": 4, **fields}))


def test_who_gets_how_many(train):
    have = np.bincount(train.labels, minlength=len(train.classes))
    source, short = wanted(train)
    assert source == have.argmax()
    for each in short:
        assert each.real == have[each.label]
        assert each.more == min(have.max() - each.real, 10 * each.real)
    assert {each.label for each in short} == set(range(8)) - {source}
    _, limited = wanted(train, limit=0.5)
    assert all(each.more == min(have.max() - each.real, each.real // 2) for each in limited)
    _, few = wanted(train, to=int(have.min()) + 3, classes=(train.classes[have.argmin()],))
    assert [(each.label, each.more) for each in few] == [(have.argmin(), 3)]
    half = int(np.median(have))
    assert all(each.real + each.more <= half for each in wanted(train, to="median")[1])
    named = train.classes[1]
    source, short = wanted(train, source=named)
    assert source == 1
    assert all(each.more <= have[1] for each in short)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"to": 1}, "every class has 1 faces or more already"),
        ({"least": 10_000}, "fewer than a batch of 10000"),
        ({"source": "sadnes"}, "did you mean 'sadness'"),
        ({"source": "fear", "classes": ("fear",)}, "'fear' is the class that is translated"),
    ],
)
def test_what_cannot_be_balanced_is_refused(train, fields, said):
    with pytest.raises(FaceletError, match=said):
        wanted(train, **fields)


def test_one_class_alone_is_refused(train):
    with pytest.raises(FaceletError, match="there is nothing to balance"):
        wanted(replace(train, labels=np.zeros(len(train), np.int64)))
