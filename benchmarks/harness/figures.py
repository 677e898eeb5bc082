"""What was measured: ours, the peers', the limit and the goal, as lines of one table."""

from __future__ import annotations

from dataclasses import dataclass, field

from peers.tables import Table

HEADER = ("what", "unit", "modelmeter", "others (ratio to ours)", "limit", "goal", "reached")


@dataclass(frozen=True)
class Goal:
    """A number that must not be more than another.

    Parameters
    ----------
    text
        What is asked for.
    value, most
        What was found, and the most that it may be.
    noise
        By how much two measurements of the same thing differed; within it nothing is decided.
    """

    text: str
    value: float
    most: float
    noise: float = 0.0

    @property
    def verdict(self):
        """Whether it was reached, or cannot be told."""
        if abs(self.value - self.most) < self.noise:
            return "cannot tell"
        # Less than nothing cannot be added: what seems so shows how much the rest is off.
        if self.value < -self.noise:
            return "cannot tell"
        return "yes" if self.value <= self.most else "NO"


@dataclass(frozen=True)
class Figure:
    """One line.

    Parameters
    ----------
    what, unit
        What was measured, and in what.
    ours
        The median.
    others
        Of peers, by name.
    limit
        What nothing gets below, such as reading the memory once; None where there is none.
    goals
        What issue 6 asks for.
    """

    what: str
    unit: str
    ours: float
    others: dict[str, float] = field(default_factory=dict)
    limit: float | None = None
    goals: tuple[Goal, ...] = ()

    def cells(self):
        """Return the cells of its line."""
        others = (f"{name} {write(v)}{self._ratio(v)}" for name, v in self.others.items())
        return (
            self.what,
            self.unit,
            write(self.ours),
            "; ".join(others) or "-",
            "-" if self.limit is None else write(self.limit),
            "; ".join(goal.text for goal in self.goals) or "-",
            "; ".join(goal.verdict for goal in self.goals) or "-",
        )

    def _ratio(self, value):
        # What is added may be less than nothing, as far as can be measured.
        return f" ({value / self.ours:.3g}x)" if self.ours > 0 else ""


def of_peer(share, name, ours, others):
    """Return the goal to take at most a share of a peer's time, if the peer was there."""
    if name not in others:
        return ()
    return (Goal(f"at most 1/{round(1 / share)} of {name}", ours, others[name] * share),)


def table(figures):
    """Return the table of all lines."""
    return Table("What monitoring costs", HEADER, tuple(figure.cells() for figure in figures))


def write(value):
    """Write a number with three digits that matter."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
