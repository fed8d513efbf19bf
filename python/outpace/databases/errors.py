"""What a database cannot do for a run."""

from __future__ import annotations


class DatabaseError(Exception):
    """The message says what, and what to do; whoever catches it says for which table."""


class InUse(DatabaseError):
    """It may be over in a moment."""
