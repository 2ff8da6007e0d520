"""Frames in containers that an earlier agent started, or was about to."""

from __future__ import annotations

import os
from typing import Any

from rqd.containers.frame import AdoptedContainer
from rqd.containers.interface import AGENT
from rqd.frame.phases import Kill
from rqd.frame.records import Whereabouts
from rqd.frame.recovery import Recovery
from rqd.frame.users import Identity
from rqd.service import spec_of
from rqd.system.identity import identity, this_boot
from rqd.system.reservations import Reservation
from tests.containers.test_frame import ContainedCase
from tests.frame.earlier import run_frame
from tests.frame.place import NOW

_NAME = "c1"


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
        mine = f"openrqd-{_NAME}"
        self.engine.away = ""
        self.engine.create(mine, {"Image": "small", "Labels": label})
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
        )
        recovery.run()
        self.place.turn()

    def contained(self, recorded: Any, spec: Any, **facts: Any) -> AdoptedContainer:
        return AdoptedContainer(recorded, spec, self.containers, self.place.site, **facts)

    def engine_answers(self, **found: Any) -> None:
        """The engine is there at last, and knows this of the container."""
        self.engine.facts[f"openrqd-{_NAME}"] = self.engine.exit._replace(**found)
        self.engine.away = ""
        self.pass_time(6)


class UnrecordedStartTests(AdoptedCase):
    """The earlier agent died before it had noted as what the container runs."""

    def test_not_begun(self) -> None:
        """What was not born by now never is: that needs no engine."""
        self.earlier(b"")
        self.recover()
        self.assertTrue(self.report.startswith(b"256/0 "), self.report)
        self.assertEqual((self.containers.folder / f"{_NAME}.chain").read_bytes(), b"")
        self.engine_answers()
        self.nothing_left()

    def test_permit(self) -> None:
        """Its permit is gone before that is judged."""
        self.earlier(b"born 7\n")
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
        """What was born runs; as which process, the engine tells once it answers."""
        self.earlier(b"born 7\nup\n")
        self.recover()
        (frame,) = self.place.roster.all()
        self.assertEqual(self.place.posted, [])
        self.engine_answers(running=True, pid=os.getpid())
        self.assertEqual(frame.members.supervisor, os.getpid())
        self.assertEqual(self.place.posted, [])

    def test_ended_meanwhile(self) -> None:
        """Where it is over by the time that the engine answers, its chain file tells how."""
        self.earlier(b"born 7\nup\n")
        self.recover()
        with open(self.containers.folder / f"{_NAME}.chain", "ab") as chain:
            chain.write(b"exit 4\n")
        self.engine_answers(exit_code=4)
        self.assertTrue(self.report.startswith(b"4/0 "), self.report)
        self.nothing_left()

    def test_lost(self) -> None:
        """Where the engine has lost it, it has vanished."""
        self.earlier(b"born 7\nup\n")
        self.recover()
        del self.engine.facts[f"openrqd-{_NAME}"]
        self.engine.away = ""
        self.pass_time(6)
        self.assertTrue(self.report.startswith(b"1/19 "), self.report)

    def test_killed(self) -> None:
        """A kill that comes before the engine answers ends it once it does."""
        self.earlier(b"born 7\nup\n")
        self.recover()
        (frame,) = self.place.roster.all()
        frame.kill(Kill("no need"))
        self.engine_answers(exit_code=0)
        self.assertTrue(self.report.startswith(b"1/"), self.report)
        self.pass_time(60)
        self.nothing_left()

    def test_other_boot(self) -> None:
        """Nothing of an earlier boot runs."""
        self.earlier(b"born 7\nup\n", boot="another")
        self.recover()
        self.assertTrue(self.report.startswith(b"1/19 "), self.report)


class RecordedStartTests(AdoptedCase):
    """The earlier agent had noted the container's first process."""

    def test_gone(self) -> None:
        """One that is gone without an end has vanished."""
        self.earlier(b"born 7\nup\n", supervisor=os.getpid(), start_ticks=1)
        self.recover()
        self.engine_answers()
        self.assertTrue(self.report.startswith(b"1/19 "), self.report)
        self.nothing_left()

    def test_runs(self) -> None:
        """One that is there is gone on with, whether the engine answers or not."""
        found = identity(os.getpid())
        assert found is not None
        self.earlier(b"born 7\nup\n", supervisor=os.getpid(), start_ticks=found.start_ticks)
        self.recover()
        (frame,) = self.place.roster.all()
        self.assertTrue(frame.runs)
        self.assertEqual(self.place.posted, [])
