"""Controls: the model each is compared with, and its number of training steps if lengths are given in minutes.

>>> compared_with(recipe.controls[0], True, recipe)
'student'
>>> counted(recipe.controls[0], recipe)    # its minutes are replaced by the steps of these
Counted(more=(Distill(name='student', ...),), less=())

The speed of the machine at the time of a training must not decide which of two models is better. A control with ``minutes``
therefore takes as many optimizer steps as the model it is compared with: the steps of all trainings of its weights since random
initialization, without those that both share. For a net that was trained, pruned and fine-tuned, all three count; the steps of a
teacher do not, because they trained other weights.
"""

from __future__ import annotations

from dataclasses import dataclass

from facelet.recipes.schema import Recipe
from facelet.step import Step


@dataclass(frozen=True)
class Counted:
    """Trainings that determine the length of a control: the steps of ``more``, oldest first, minus those of ``less``.

    ``less``: earlier trainings of the control's weights that the other model does not share.
    """

    more: tuple[Step, ...]
    less: tuple[Step, ...]

    @property
    def names(self) -> str:
        """The names of ``more``, such as "student" or "original and pruned"."""
        return " and ".join(step.name for step in self.more)


def compared_with(step: Step, control: bool, recipe: Recipe) -> str:
    """Returns the model that a step is compared with; "" for its parent.

    This is ``against`` if given; for a control, the model whose widths it uses, or the last step with the same design.
    """
    if step.against or not control:
        return step.against or ""
    if shape := step.shape_of():
        return shape
    same = [other.name for other in recipe.steps if step.design() and other.design() == step.design()]
    return same[-1] if same else ""


def counted(step: Step, recipe: Recipe) -> Counted | None:
    """Returns the trainings whose steps replace the ``minutes`` of a control; None if its minutes apply.

    They apply if the other model is trained later or outside of the run, or if the control continues the other's training: then
    the numbers of steps cannot be equal, and the ledger gives no verdict (measure.ledger.effort).
    """
    if not (step.trains and step.timed() and any(step.name == control.name for control in recipe.controls)):
        return None
    before: dict[str, Step] = {}
    for earlier, _ in recipe.all_steps():
        if earlier.name == step.name:
            break
        before[earlier.name] = earlier
    other = before.get(compared_with(step, True, recipe) or next(iter(step.needs()), ""))
    own, others = _weights(before.get(step.starts_from() or ""), before), _weights(other, before)
    more = tuple(others[name] for name in reversed(others) if name not in own)
    less = tuple(own[name] for name in own if name not in others)
    return Counted(more, less) if more else None


def _weights(step: Step | None, steps: dict[str, Step]) -> dict[str, Step]:
    """Returns the trainings of the weights of ``step``, by name, newest first."""
    trainings: dict[str, Step] = {}
    while step is not None:
        if step.trains:
            trainings[step.name] = step
        step = steps.get(step.starts_from() or "")
    return trainings
