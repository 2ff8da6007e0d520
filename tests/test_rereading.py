"""The configuration, read again."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred, fail
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rqd.config import ConfigurationError, Loaded, Settings
from rqd.config.settings import GrpcSettings, LoggingSettings
from rqd.rereading import Rereading

OLD = Settings()
QUIET = replace(OLD, logging=LoggingSettings(level="error"))


def loaded(settings: Settings, *warnings: str) -> Loaded:
    return Loaded(settings, {}, warnings, None)


class RereadingTests(SynchronousTestCase):
    """``Rereading``; the level of the log is what can change here."""

    def setUp(self) -> None:
        self.reads: list[Deferred[Loaded]] = []
        self.levels: list[str] = []
        self.told: list[str] = []
        self.rereading = Rereading(
            OLD,
            read=self.read,
            effects={"logging.level": lambda settings: self.levels.append(settings.logging.level)},
            begins=lambda: self.told.append("begins"),
            ended=self.told.append,
        )
        self.events: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: dict[str, object]) -> None:
        if "key" in event:
            self.events.append(f"{event['key']}: {event['what']}")

    def read(self) -> Deferred[Loaded]:
        self.reads.append(Deferred())
        return self.reads[-1]

    def reread(self, settings: Settings) -> None:
        self.rereading.begin()
        self.reads[-1].callback(loaded(settings))

    def test_in_effect(self) -> None:
        """What can change does, once for each change."""
        self.reread(QUIET)
        self.reread(QUIET)
        self.assertEqual(self.levels, ["error"])
        self.assertEqual(self.events, ["logging.level: in effect from now on"])
        self.assertEqual(self.told, ["begins", "", "begins", ""])

    def test_restart(self) -> None:
        """What can't change is said each time until there is a restart, and stays as it is."""
        moved = replace(QUIET, grpc=GrpcSettings(rqd_port=9000))
        self.reread(moved)
        self.reread(moved)
        needs = "grpc.rqd_port: takes a restart, frames go on over it"
        self.assertEqual(self.events, ["logging.level: in effect from now on", needs, needs])
        self.assertEqual(self.rereading.settings.grpc.rqd_port, OLD.grpc.rqd_port)
        self.assertEqual(self.levels, ["error"])

    def test_broken(self) -> None:
        """A file that can't be used changes nothing, and says why."""
        self.rereading.begin()
        self.reads[-1].errback(ConfigurationError(["grpc.rqd_port: expected a number", "b: no"]))
        self.assertEqual((self.levels, self.events), ([], []))
        self.assertIn("grpc.rqd_port: expected a number", self.told[-1])
        self.reread(QUIET)
        self.assertEqual((self.levels, self.told[-1]), (["error"], ""))

    def test_unreadable(self) -> None:
        """Nor does one that can't be read at all."""
        self.patch(self.rereading, "_read", lambda: fail(PermissionError(13, "not yours")))
        self.rereading.begin()
        self.assertIn("not yours", self.told[-1])

    def test_meanwhile(self) -> None:
        """Asked for again while it reads, it reads once more after that, and not twice at once."""
        self.rereading.begin()
        self.rereading.begin()
        self.rereading.begin()
        self.assertEqual(len(self.reads), 1)
        self.reads[0].callback(loaded(OLD))
        self.assertEqual(len(self.reads), 2)
        self.reads[1].callback(loaded(QUIET))
        self.assertEqual(len(self.reads), 2)
        self.assertEqual(self.levels, ["error"])
