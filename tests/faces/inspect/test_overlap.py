from __future__ import annotations

from dataclasses import replace

import numpy as np

from facelet.faces import load, load_pairs
from facelet.faces.inspect.overlap import overlap


def of_people(lay_out, *people: str, name: str = "people"):
    return load(f"identities:{lay_out([f'{p}/{n}.png' for p in people for n in (1, 2)], name=name)}?val=0")


def test_people_in_both_are_named(lay_out, small_lfw):
    pairs = load_pairs(f"lfw:{small_lfw()}")
    found = overlap(of_people(lay_out, "Person_Aa", "ab-pèrson", "Person_Zz"), pairs)
    assert found.both == ("Person_Aa", "ab-pèrson")
    assert str(found) == "2 of 3 training people are among LFW's by name: Person_Aa, ab-pèrson"
    none = overlap(of_people(lay_out, "Person_Zy", "Person_Zz", name="none"), pairs)
    assert str(none) == "None of 2 training people is among LFW's by name."


def test_it_says_when_it_cannot_be_known(lay_out, small_lfw):
    pairs = load_pairs(f"lfw:{small_lfw()}")
    numbered = overlap(of_people(lay_out, "7201", "n000123", "m.0gx4"), pairs)
    assert "cannot be known: they are numbered (7201), not named." in str(numbered)
    partly = overlap(of_people(lay_out, "7201", "Person_Aa", name="partly"), pairs)
    assert str(partly).endswith("Person_Aa; 1 more are numbered (7201)")
    faces = of_people(lay_out, "Person_Aa", "Person_Ab", name="named")
    for unknown in (
        load(f"faces:{lay_out(['a.png', 'b.png'], name='loose')}"),
        load("toy?faces=200"),
        replace(faces, identities=np.array([0, 0, 0, 1])),
    ):
        assert "cannot be known: it has no identities" in str(overlap(unknown, pairs))
