"""What a check finds: one line for people, and the statements that mend it where that is safe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Executable

from results.connect import Database


@dataclass(frozen=True)
class Problem:
    """Something in a store that should not be. remedy: what `--repair` does with it, or why it leaves it.

    statements: that repair; each does nothing where the row has changed since. None where it is left.
    """

    where: str
    what: str
    remedy: str
    statements: tuple[Executable, ...] = ()

    @property
    def repairable(self) -> bool:
        """Whether it is safe to repair."""
        return bool(self.statements)

    @property
    def line(self) -> str:
        """All of it, for people."""
        return f"{self.where}: {self.what}; {'--repair' if self.repairable else 'left,'} {self.remedy}"


def repair(database: Database, problems: Iterable[Problem]) -> None:
    """Carry out what is safe, in one transaction."""
    with database.writing() as session:
        for problem in problems:
            for statement in problem.statements:
                session.execute(statement)
