"""What an import took, changed and refused, line by line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nlu.records
import retrieval.records


@dataclass(frozen=True, slots=True)
class Note:
    """Something about one place in a file.

    Attributes:
        path: the file.
        line: the line, counted from 1, or None where the whole file is meant.
        field: the field, or empty where the whole record is meant.
        message: what was found and what was or has to be done.
        broken: True for a mistake that has to be corrected; False for what has no place here or is there already.
    """

    path: Path
    line: int | None
    field: str
    message: str
    broken: bool = False

    def __str__(self) -> str:
        """The note in one line."""
        place = str(self.path) if self.line is None else f"{self.path}:{self.line}"
        return ": ".join(part for part in (place, self.field, self.message) if part)

    def document(self) -> dict[str, Any]:
        """The note as JSON."""
        return {"file": str(self.path), "line": self.line, "field": self.field, "message": self.message}


class Report:
    """Collects notes in the order they come.

    Attributes:
        changed: what was taken otherwise than it was written.
        refused: what was not taken.
        unread: the refusals after which nothing more of a file could be read.
        warned: what was taken as it is and should be looked at.
        remarks: what else the person should know or do.
    """

    def __init__(self) -> None:
        self.changed: list[Note] = []
        self.refused: list[Note] = []
        self.unread: list[Note] = []
        self.warned: list[Note] = []
        self.remarks: list[str] = []
        self._told: set[tuple[Path, str, str]] = set()

    @property
    def broken(self) -> list[Note]:
        """The refusals that are mistakes to be corrected."""
        return [note for note in self.refused if note.broken]

    def change(self, path: Path, line: int | None, field: str, message: str) -> None:
        """Notes that a value was taken otherwise than it was written."""
        self.changed.append(Note(path, line, field, message))

    def change_once(self, path: Path, line: int | None, field: str, message: str) -> None:
        """Notes a change that concerns every record of a file alike, at its first place only."""
        if (path, field, message) not in self._told:
            self._told.add((path, field, message))
            self.change(path, line, field, message)

    def leave_out(self, path: Path, line: int | None, field: str, message: str) -> None:
        """Notes that something sound was not taken, such as a repetition."""
        self.refused.append(Note(path, line, field, message))

    def refuse(self, path: Path, line: int | None, field: str, message: str) -> None:
        """Notes a mistake; its record is not taken."""
        self.refused.append(Note(path, line, field, message, broken=True))

    def warn(self, path: Path, line: int | None, field: str, message: str) -> None:
        """Notes something that a person should look at, though it was taken."""
        self.warned.append(Note(path, line, field, message))

    def sort(self, paths: Sequence[Path]) -> None:
        """Brings all notes into the order of the files and their lines.

        Args:
            paths: the files in order; notes of others come last.
        """
        places = {path: place for place, path in enumerate(paths)}
        for notes in (self.changed, self.refused, self.warned):
            notes.sort(key=lambda note: (places.get(note.path, len(places)), note.line or 0))

    def document(self, taken: int, written: Iterable[Path]) -> dict[str, Any]:
        """The report as one JSON document.

        Args:
            taken: how many records were written.
            written: the files.

        Returns:
            What `frontdesk import --json` prints.
        """
        return {
            "taken": taken,
            "changed": [note.document() for note in self.changed],
            "refused": [note.document() | {"broken": note.broken} for note in self.refused],
            "warned": [note.document() for note in self.warned],
            "written": [str(path) for path in written],
            "remarks": self.remarks,
        }


class ExampleProblems(nlu.records.Problems):
    """Passes what the readers of `nlu` complain about on to a report."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report

    def add(self, path: Path, line: int | None, field: str | None, message: str) -> None:
        """Notes one problem."""
        super().add(path, line, field, message)
        self._report.refuse(path, line, field or "", message)

    def end(self, path: Path, line: int, message: str) -> None:
        """Notes a problem that ends the reading of a file."""
        super().end(path, line, message)
        self._report.unread.append(self._report.refused[-1])


class FaqProblems(retrieval.records.Problems):
    """Passes what the readers of `retrieval` complain about on to a report."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report

    def add(self, path: Path, line: int | None, name: str, message: str) -> None:
        """Notes one problem."""
        super().add(path, line, name, message)
        self._report.refuse(path, line, name, message)

    def end(self, path: Path, line: int, message: str) -> None:
        """Notes a problem that ends the reading of a file."""
        super().end(path, line, message)
        self._report.unread.append(self._report.refused[-1])
