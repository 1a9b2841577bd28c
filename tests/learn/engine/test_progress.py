from __future__ import annotations

import io

from rich.console import Console

from facelet.learn.engine.progress import Bar


def test_the_bar_is_drawn_on_a_terminal_only():
    for terminal in (True, False):
        text = io.StringIO()
        with Bar("student", Console(file=text, force_terminal=terminal, width=150)) as bar:
            assert bar.due() == terminal
            bar.accuracy = 0.5
            bar.update(step=3, total=10, epoch=1.5, loss=0.25)
            assert not bar.due()
        assert ("3/10" in text.getvalue()) == terminal
        assert ("loss 0.250  val 50.00%" in text.getvalue()) == terminal
