"""Frames in containers that an earlier agent started, or was about to."""

from __future__ import annotations

from typing import Any

from rqd.containers.frame import AdoptedContainer
from rqd.containers.interface import AGENT
from rqd.frame.records import Whereabouts
from rqd.frame.recovery import Recovery
from rqd.frame.users import Identity
from rqd.servant.frame_calls import spec_of
from rqd.system.identity import this_boot
from rqd.system.reservations import Reservation
from tests.containers.test_frame import ContainedCase
from tests.frame.earlier import PID, run_frame
from tests.frame.place import NOW

_NAME, _CALLED = "c1", "openrqd-c1"


class AdoptedCase(ContainedCase):
    """A host whose agent has died; its engine has been asked nothing yet."""

    def setUp(self) -> None:
        super().setUp()
        self.engine.away = "not up yet"
        self.containers = self.make()

    def earlier(self, chain: bytes, *, boot: str = "", **where: Any) -> None:
        """A frame of the earlier agent's, by its record and its chain file."""
        request = run_frame(log_dir=str(self.place.folder), os="small")
        facts = {"berth": _NAME, "supervisor": 0, "start_ticks": 0, "container": True}
        self.place.site.records.files("f.1").create(
            spec_of(request.SerializeToString()),
            Reservation(100),
            Whereabouts(**{**facts, "boot_id": boot or this_boot(), **where}),
            shell="/bin/sh",
            identity=Identity(1000, 1000, ()),
            spooled=True,
            started_at=NOW,
            born=0.0,
        )
        for kind, text in (("chain", chain), ("permit", b"go\n"), ("passwd", b""), ("group", b"")):
            (self.containers.folder / f"{_NAME}.{kind}").write_bytes(text)
        label = {AGENT: self.containers.terms.agent}
        self.engine.away = ""
        self.engine.create(_CALLED, {"Image": "small", "Labels": label})
        self.engine.away = "not up yet"

    def recover(self) -> None:
        """The next agent starts."""
        recovery = Recovery(
            self.place.site,
            self.place.roster,
            reactor=self.place.reactor,
            groups=None,
            parse=spec_of,
            used=lambda _: None,
            contained=self.contained,
            proc_root=self.proc.root,
        )
        recovery.run()
        self.place.turn()

    def contained(self, recorded: Any, spec: Any, **facts: Any) -> AdoptedContainer:
        return AdoptedContainer(recorded, spec, self.containers, self.place.site, **facts)

    def engine_answers(self) -> None:
        """The engine is there at last."""
        self.engine.away = ""
        self.pass_time(6)

    def ends_with(self, chain: bytes) -> None:
        """A frame that runs ends."""
        with open(self.containers.folder / f"{_NAME}.chain", "ab") as file:
            file.write(chain)
        self.ends()


class UnrecordedStartTests(AdoptedCase):
    """The earlier agent died before it had noted as what the container runs."""

    def test_not_begun(self) -> None:
        """What was not born by now never is: that needs no engine."""
        self.earlier(b"")
        self.recover()
        self.assertTrue(self.report.startswith(b"256/0 "), self.report)
        self.engine_answers()
        self.nothing_left()

    def test_permit(self) -> None:
        """Its permit is gone before that is judged."""
        self.earlier(b"born 7\n")
        self.runs(_CALLED)
        self.recover()
        self.assertEqual((self.containers.folder / f"{_NAME}.permit").read_bytes(), b"")

    def test_over(self) -> None:
        """What has ended is told as it did: that needs no engine, either."""
        self.earlier(b"born 7\nup\nexit 3\n")
        self.recover()
        self.assertTrue(self.report.startswith(b"3/0 "), self.report)
        self.engine_answers()
        self.nothing_left()

    def test_runs(self) -> None:
        """What was born is gone on with as the process that has its name, and so is its end."""
        self.earlier(b"born 7\nup\n")
        self.runs(_CALLED)
        self.recover()
        (frame,) = self.place.roster.all()
        self.assertEqual((frame.runs, frame.members.supervisor), (True, PID))
        self.engine_answers()
        self.assertEqual(self.place.posted, [])
        self.ends_with(b"exit 4\n")
        self.assertTrue(self.report.startswith(b"4/0 "), self.report)
        self.nothing_left()

    def test_gone(self) -> None:
        """What was born, but has neither a process nor an end, has vanished."""
        self.earlier(b"born 7\nup\n")
        self.runs("openrqd-another")
        self.recover()
        self.engine_answers()
        self.assertTrue(self.report.startswith(b"1/19 "), self.report)
        self.nothing_left()

    def test_other_boot(self) -> None:
        """Nothing of an earlier boot runs."""
        self.earlier(b"born 7\nup\n", boot="another")
        self.runs(_CALLED)
        self.recover()
        self.assertTrue(self.report.startswith(b"1/19 "), self.report)


class RecordedStartTests(AdoptedCase):
    """The earlier agent had noted the container's first process."""

    def test_runs(self) -> None:
        """One that is there is gone on with, whether the engine answers or not."""
        self.earlier(b"born 7\nup\n", supervisor=PID, start_ticks=1000)
        self.runs(_CALLED)
        self.recover()
        (frame,) = self.place.roster.all()
        self.assertTrue(frame.runs)
        self.ends_with(b"exit 3\n")
        self.assertTrue(self.report.startswith(b"3/0 "), self.report)

    def test_gone(self) -> None:
        """One that is gone without an end has vanished, whoever has its number now."""
        self.earlier(b"born 7\nup\n", supervisor=PID, start_ticks=999)
        self.runs(_CALLED)
        self.recover()
        self.engine_answers()
        self.assertTrue(self.report.startswith(b"1/19 "), self.report)
        self.nothing_left()

    def test_other_boot(self) -> None:
        """Nothing of an earlier boot runs."""
        self.earlier(b"born 7\nup\n", supervisor=PID, start_ticks=1000, boot="another")
        self.runs(_CALLED)
        self.recover()
        self.assertTrue(self.report.startswith(b"1/19 "), self.report)
