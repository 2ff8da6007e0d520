"""The checker finds each promise that is broken, and nothing where all were kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from tests.chaos.checker import OK, Completion, Finding, Launch, Verdict, check
from tests.chaos.frames import Frame, line
from tests.chaos.ledger import Account
from tests.chaos.logs import Log, take_apart

KEY = "f00001"
RULE = b"=" * 59 + b"\n"
HEADER = RULE + b"RenderQ JobSpec   now\ncommand           true\n" + RULE


def frame(kind: str = "short", ends: tuple[int, int] | None = (0, 0), deaf: bool = False) -> Frame:
    return Frame(KEY, kind, "", ends, deaf=deaf)


def footer(status: int = 0, signal: int = 0) -> bytes:
    values = b"exitStatus        %d\nexitSignal        %d\nkillMessage\n" % (status, signal)
    return RULE + b"Render Frame Completed\n" + values + RULE


def log(*numbers: int, end: bytes | None = None) -> bytes:
    """A log with these lines of the frame."""
    lines = b"".join(b"[12:00:00] " + line(KEY, number) for number in numbers)
    return HEADER + lines + (footer() if end is None else end)


def ran(lines: int = 3, end: int | None = 0) -> Account:
    return Account(1, [(1, lines)] if lines else [], [], end)


def told(status: int = 0, signal: int = 0, *, taken: bool = True, more: str = "") -> Completion:
    return Completion(f"{status} {signal} {more}".encode(), (status, signal), taken)


class CheckerCase(SynchronousTestCase):
    """``judge`` is right about one frame that is right but for what a test changes."""

    def judge(
        self,
        *completions: Completion,
        launch: Launch | None = None,
        account: Account | None = None,
        text: bytes | None = None,
        unkept: Sequence[str] = (),
    ) -> Verdict:
        launch = launch or Launch(frame(), OK)
        accounts = {KEY: ran() if account is None else account}
        log_of = partial(_log, text)
        return check([launch], accounts, {KEY: completions}, lambda _: log_of(), unkept)

    def kinds(self, findings: Sequence[Finding]) -> list[str]:
        return sorted(finding.kind for finding in findings)

    def finds(self, verdict: Verdict, *kinds: str) -> None:
        self.assertEqual(self.kinds(verdict.findings), sorted(kinds), verdict.findings)


def _log(text: bytes | None) -> Log | None:
    """A right one where the test gives none; empty stands for none at all."""
    chosen = log(1, 2, 3) if text is None else text
    return take_apart(chosen) if chosen else None


class RunTests(CheckerCase):
    """How often frames ran and were reported."""

    def test_right(self) -> None:
        """A frame that ran once, was reported and has its log."""
        self.finds(self.judge(told()))

    def test_lost(self) -> None:
        """Taken, and never reported: whether it ran or not, or Cuebot only refused the report."""
        self.finds(self.judge(), "lost")
        self.finds(self.judge(account=Account()), "lost")
        self.finds(self.judge(told(taken=False)), "lost")

    def test_twice(self) -> None:
        """It ran twice."""
        self.finds(self.judge(told(), account=Account(2, [(1, 3)], [], 0)), "ran twice")

    def test_unsure(self) -> None:
        """A launch of whose answer nobody knows may have run, but then it is reported."""
        launch = Launch(frame(), "UNAVAILABLE")
        self.finds(self.judge(launch=launch), "ran unreported")
        self.finds(self.judge(told(), launch=launch))
        self.finds(self.judge(launch=launch, account=Account(), text=b""))

    def test_refused(self) -> None:
        """What was refused neither runs nor is reported."""
        launch = Launch(frame(), "RESOURCE_EXHAUSTED")
        self.finds(self.judge(launch=launch), "refused, and yet there")
        self.finds(self.judge(told(256), launch=launch, account=Account(), text=b""), _REFUSED)
        self.finds(self.judge(launch=launch, account=Account(), text=b""))

    def test_nobodys(self) -> None:
        """A frame, or a report, that nobody asked for."""
        verdict = check([], {KEY: ran()}, {"other": [told()]}, lambda _: None)
        self.finds(verdict, *["a frame that nobody launched"] * 2)

    def test_again(self) -> None:
        """Reports may come again, as the same bytes."""
        verdict = self.judge(told(taken=False), told(), told())
        self.finds(verdict)
        self.assertEqual(verdict.counts["completions taken again"], 1)

    def test_unequal(self) -> None:
        """Completions that differ, also if Cuebot refused one of them."""
        self.finds(self.judge(told(), told(more="other")), "unequal completions")
        self.finds(self.judge(told(), told(more="other", taken=False)), "unequal completions")

    def test_unkept(self) -> None:
        """What no disk took may be told in other words, but never as another end."""
        reports = told(), told(more="other")
        verdict = self.judge(*reports, unkept=[KEY])
        self.finds(verdict)
        self.assertEqual(verdict.counts["completions made anew, as the state folder took none"], 1)
        self.finds(self.judge(*reports, unkept=["f00002"]), "unequal completions")
        self.finds(self.judge(told(), told(1, 19), unkept=[KEY]))
        self.finds(self.judge(told(), told(3), unkept=[KEY]), "unequal completions")


_REFUSED = "refused, and yet there"


class EndTests(CheckerCase):
    """What is reported is what the frame did, or what was done to it."""

    def end(self, *end: int, **changes: object) -> Verdict:
        text = log(1, 2, 3, end=footer(*end))
        return self.judge(told(*end), text=text, **changes)  # type: ignore[arg-type]

    def test_status(self) -> None:
        """Its own status, and no other."""
        self.finds(self.end(3, 0, account=ran(end=3)))
        self.finds(self.end(0, 0, account=ran(end=3)), "wrong end")
        self.finds(self.end(3, 9, account=ran(end=3)), "wrong end")

    def test_signal(self) -> None:
        """A signal that it sent itself."""
        launch = Launch(frame("signalled", (1, 11)), OK)
        self.finds(self.end(1, 11, launch=launch, account=ran(end=None)))
        self.finds(self.end(1, 9, launch=launch, account=ran(end=None)), "wrong end")

    def test_vanished(self) -> None:
        """A frame that ran did not vanish: its end was there to be read."""
        self.finds(self.end(1, 19), "wrong end")
        self.finds(self.end(1, 19, account=ran(end=None)), "wrong end")

    def test_could_not_start(self) -> None:
        """256 is of frames that never ran; these may also vanish, and both are counted."""
        self.finds(self.end(256, 0), "wrong end")
        for end, name in [
            ((256, 0), "frames that could not be started (256)"),
            ((1, 19), "frames that vanished before they ran"),
        ]:
            verdict = self.judge(told(*end), account=Account(), text=HEADER + footer(*end))
            self.finds(verdict)
            self.assertEqual(verdict.counts[name], 1)

    def test_never_ran(self) -> None:
        """A frame that never ran did not succeed, nor end by a signal that nobody sent."""
        for end in [(0, 0), (1, 15)]:
            verdict = self.judge(told(*end), account=Account(), text=HEADER + footer(*end))
            self.finds(verdict, "wrong end")

    def test_killed(self) -> None:
        """A frame that was killed ends by TERM or KILL, or as it told; others don't."""
        killed = Launch(frame("killed", None), OK, kills=1)
        for end in [(1, 15), (1, 9)]:
            self.finds(self.end(*end, launch=killed, account=ran(end=None)))
            self.finds(self.end(*end, account=ran(end=None)), "wrong end")
        self.finds(self.end(5, 0, launch=killed, account=ran(end=5)))
        self.finds(self.end(1, 11, launch=killed, account=ran(end=None)), "wrong end")

    def test_deaf(self) -> None:
        """TERM ends no frame that ignores it."""
        deaf = Launch(frame("deaf", None, deaf=True), OK, kills=1)
        self.finds(self.end(1, 9, launch=deaf, account=ran(end=None)))
        self.finds(self.end(1, 15, launch=deaf, account=ran(end=None)), "wrong end")

    def test_killed_early(self) -> None:
        """One that was killed before it ran."""
        launch = Launch(frame("killed", None), OK, kills=1)
        text = HEADER + footer(1, 15)
        self.finds(self.judge(told(1, 15), launch=launch, account=Account(), text=text))


class LogTests(CheckerCase):
    """Each line that a frame wrote is in its log."""

    def log(self, text: bytes, account: Account | None = None) -> Verdict:
        return self.judge(told(), text=text, account=account)

    def test_none(self) -> None:
        self.finds(self.log(b""), "no log")

    def test_lost(self) -> None:
        """A line in the middle or at the end, or all."""
        for numbers in [(1, 3), (1, 2), ()]:
            self.finds(self.log(log(*numbers)), "log lines lost")

    def test_torn(self) -> None:
        """A line of which a piece is missing; its other end is a loss, too."""
        whole = log(1, 2, 3)
        self.finds(self.log(whole.replace(b" 2 the quick", b" 2 qu")), *_TORN)
        self.finds(
            self.log(whole.replace(b"end\n[12:00:00] f00001 3", b"")), "log line torn", _LOST
        )

    def test_twice(self) -> None:
        """Twice, or in another order."""
        self.finds(self.log(log(1, 2, 2, 3)), "log line twice or out of order")
        self.finds(self.log(log(1, 3, 2)), "log line twice or out of order")

    def test_foreign(self) -> None:
        """A line of another frame."""
        other = b"[12:00:00] " + line("f00002", 1)
        self.finds(self.log(log(1, 2, 3).replace(footer(), other + footer())), "log line torn")

    def test_said_by_nobody(self) -> None:
        """What a full disk refused may be there, not at all, or in part."""
        account = Account(1, [(1, 1), (3, 3)], [(2, 2)], 0)
        self.finds(self.log(log(1, 3), account))
        self.finds(self.log(log(1, 2, 3), account))
        piece = log(1, 2, 3).replace(b" 2 the quick brown fox renders the lazy dog end", b" 2 the")
        self.finds(self.log(piece, account))
        foreign = log(1, 2, 3).replace(b" 2 the", b" 2 that")
        self.finds(self.log(foreign, account), "log line torn")

    def test_footers(self) -> None:
        """One footer, whole, that says what Cuebot was told, and nothing after it."""
        self.finds(self.log(log(1, 2, 3, end=b"")), "log footers")
        self.finds(self.log(log(1, 2, 3) + footer()), "log footers")
        different = "footer is torn or differs"
        self.finds(self.log(log(1, 2, 3, end=footer(3))), different)
        self.finds(self.log(log(1, 2, 3, end=footer()[:-70])), different)
        self.finds(self.log(log(1, 2, 3) + b"more\n"), different)

    def test_headers(self) -> None:
        """One header."""
        self.assertIn("log headers", self.kinds(self.log(HEADER + log(1, 2, 3)).findings))


_LOST = "log lines lost"
_TORN = ("log line torn", _LOST)
