"""What goes wrong here in ways that a user can mend."""

from __future__ import annotations


class Problem(Exception):
    """Ends the command with its sentences on stderr; never with a traceback."""

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences
