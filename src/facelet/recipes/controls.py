"""Controls: which model each is compared with, and how many steps it trains where a clock sets the length.

>>> compared_with(recipe.controls[0], True, recipe)
'student'
>>> counted(recipe.controls[0], recipe)    # its minutes are replaced by the steps of these
Counted(more=(Distill(name='student', ...),), less=())

A fast and a slow hour of one machine must not decide which of two models is better. So the weights of a control with ``minutes``
get as many optimizer steps as those of the model it is compared with: the steps of all trainings that made them since fresh
weights, without those that both share. A net that was trained, pruned and tuned further has all three counted; a teacher's steps
made other weights and do not count.
"""

from __future__ import annotations

from dataclasses import dataclass

from facelet.recipes.schema import Recipe
from facelet.step import Step


@dataclass(frozen=True)
class Counted:
    """Trainings whose steps make up the length of a control: those of ``more``, oldest first, without those of ``less``.

    ``less``: earlier trainings of the control's own weights that are not of the other model's.
    """

    more: tuple[Step, ...]
    less: tuple[Step, ...]

    @property
    def names(self) -> str:
        """ "student", "original and pruned"."""
        return " and ".join(step.name for step in self.more)


def compared_with(step: Step, control: bool, recipe: Recipe) -> str:
    """The model that the step names; for a control that whose shape it has, or that of the last step that makes the same net, or
    shrinks the same model in the same way. "" where it is compared with its parent.
    """
    if step.against or not control:
        return step.against or ""
    if shape := step.shape_of():
        return shape
    same = [other.name for other in recipe.steps if step.design() and other.design() == step.design()]
    return same[-1] if same else ""


def counted(step: Step, recipe: Recipe) -> Counted | None:
    """Whose steps replace the ``minutes`` of a control, or None where the clock sets its length.

    It does where the other model is trained later or was trained elsewhere, and where the control trains the other one further:
    its number of steps cannot be equal then, and the ledger gives no verdict (measure.effort).
    """
    if not (step.trains and step.timed() and any(step.name == one.name for one in recipe.controls)):
        return None
    before: dict[str, Step] = {}
    for one, _ in recipe.all_steps():
        if one.name == step.name:
            break
        before[one.name] = one
    other = before.get(compared_with(step, True, recipe) or next(iter(step.needs()), ""))
    mine, theirs = _weights(before.get(step.starts_from() or ""), before), _weights(other, before)
    more = tuple(theirs[name] for name in reversed(theirs) if name not in mine)
    less = tuple(mine[name] for name in mine if name not in theirs)
    return Counted(more, less) if more else None


def _weights(step: Step | None, steps: dict[str, Step]) -> dict[str, Step]:
    """The trainings that made the weights of ``step``, by name, newest first."""
    found: dict[str, Step] = {}
    while step is not None:
        if step.trains:
            found[step.name] = step
        step = steps.get(step.starts_from() or "")
    return found
