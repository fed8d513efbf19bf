"""Say whose a difference is. Pure: values in, values out.

A difference is excused only by evidence of the same run day: the serial run was repeated and disagreed with itself
under the same key (``flaky``), or plain xdist disagreed with the serial run under the same key (``xdist``).
Everything else is ``ours``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .model import Difference, Verdicts

# xdist is known to do these wrong; that it does them too excuses nobody who claims to be better.
NEVER_EXCUSED_BY_XDIST = frozenset({"warning repeated", "time limit", "processes", "test missing", "run"})


def classify(
    found: Iterable[Difference],
    serial_again: Sequence[Sequence[Difference]],
    under_xdist: Sequence[Sequence[Difference]],
) -> Verdicts:
    """Sort ``found`` by the differences of repeated serial runs, and of xdist runs, from the same first serial run."""
    flaky = {difference.key for run in serial_again for difference in run}
    xdist = {difference.key for run in under_xdist for difference in run}
    verdicts = Verdicts()
    for difference in found:
        if difference.key in flaky:
            verdicts.flaky.append(difference)
        elif difference.key in xdist and difference.kind not in NEVER_EXCUSED_BY_XDIST:
            verdicts.xdist.append(difference)
        else:
            verdicts.ours.append(difference)
    return verdicts
