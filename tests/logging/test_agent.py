"""The agent's own log: lines that can be trusted, and a reactor that never waits for them."""

from __future__ import annotations

import json
import os
import threading

from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rqd.config.settings import LoggingSettings
from rqd.logging import agent

#: Seconds. Nothing here takes as long unless it is broken.
PATIENCE = 20.0


class Stream:
    """Takes lines of an encoding, once it is opened; hangs until then."""

    def __init__(self, *, encoding: str = "utf-8") -> None:
        self.written: list[str] = []
        self.reached = threading.Event()
        self.open = threading.Event()
        self._encoding = encoding

    def write(self, data: str) -> None:
        self.reached.set()
        self.open.wait(PATIENCE)
        data.encode(self._encoding)
        self.written.append(data)

    def flush(self) -> None:
        pass


def logger(observer: agent.LineObserver) -> Logger:
    return Logger(namespace="rqd.test", observer=LogPublisher(observer))


class LineObserverTests(SynchronousTestCase):
    """``LineObserver`` in front of a stream that hangs until it is opened."""

    def setUp(self) -> None:
        self.stream = Stream()
        self.addCleanup(self.stream.open.set)

    def test_order(self) -> None:
        """Lines are written in the order of the events, and a flush waits for the last one."""
        observer = agent.LineObserver(self.stream, agent.as_text)
        log = logger(observer)
        self.stream.open.set()
        for number in range(1000):
            log.info("line number={number}", number=number)
        observer.flush(PATIENCE)
        lines = "".join(self.stream.written).splitlines()
        self.assertEqual([each.split("=")[1] for each in lines], [str(n) for n in range(1000)])

    def test_stream_that_hangs(self) -> None:
        """Whoever logs never waits: lines do, up to a bound, and what is dropped is counted."""
        observer = agent.LineObserver(self.stream, agent.as_json)
        log = logger(observer)
        log.info("first")
        self.assertTrue(self.stream.reached.wait(PATIENCE))
        for _ in range(agent.WAITING + 7):
            log.info("waits")
        observer.flush(0.01)
        self.assertEqual(self.stream.written, [])
        self.stream.open.set()
        observer.flush(PATIENCE)
        messages = [json.loads(line) for line in "".join(self.stream.written).splitlines()]
        self.assertEqual(len(messages), 1 + agent.WAITING + 1)
        self.assertEqual((messages[-1]["level"], messages[-1]["lines"]), ("warn", 7))

    def test_no_thread_before_the_first_event(self) -> None:
        """An observer that was made before a fork has nothing that a fork would lose."""
        before = threading.active_count()
        agent.LineObserver(self.stream, agent.as_text)
        self.assertEqual(threading.active_count(), before)

    def test_strange_characters(self) -> None:
        """A line that the stream can't encode is written all the same, as are its neighbours."""
        stream = Stream(encoding="ascii")
        observer = agent.LineObserver(stream, agent.as_text)
        log = logger(observer)
        log.info("before")
        self.assertTrue(stream.reached.wait(PATIENCE))
        log.info("folder path={path}", path="/shots/\udcff/ü")
        log.info("after")
        stream.open.set()
        observer.flush(PATIENCE)
        lines = "".join(stream.written).splitlines()
        self.assertEqual(len(lines), 3)
        self.assertTrue(lines[1].endswith("folder path=/shots/\\udcff/\\xfc"))


class FormatTests(SynchronousTestCase):
    """Events as lines."""

    def formatted(self, how: str, template: str, **fields: object) -> str:
        lines: list[str] = []
        formats = {"text": agent.as_text, "json": agent.as_json}
        publisher = LogPublisher(lambda event: lines.append(formats[how](event)))
        Logger(namespace="rqd.test", observer=publisher).emit(LogLevel.warn, template, **fields)
        return lines[0]

    def test_text(self) -> None:
        """Time, level, where it comes from, message."""
        line = self.formatted("text", "frame started frame_id={frame_id}", frame_id="a")
        time, level, namespace, message = line.split(maxsplit=3)
        self.assertRegex(time, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}$")
        self.assertEqual(
            (level, namespace, message), ("warn", "rqd.test", "frame started frame_id=a\n")
        )

    def test_forged_line(self) -> None:
        """A value with a line break can't pass for a line of the log."""
        line = self.formatted("text", "reason={reason}", reason="x\r\n2026-01-01 info forged")
        self.assertEqual([each[:1].isspace() for each in line.splitlines()], [False, True])

    def test_json(self) -> None:
        """One object with the event's plain fields beside the message."""
        line = self.formatted("json", "frame pid={pid}\nb", pid=7, name="ü", other=object())
        self.assertEqual(line.count("\n"), 1)
        found = json.loads(line)
        del found["time"]
        self.assertEqual(
            found,
            {
                "level": "warn",
                "namespace": "rqd.test",
                "message": "frame pid=7\n    b",
                "pid": 7,
                "name": "ü",
            },
        )


class FileTests(SynchronousTestCase):
    """``to_file``."""

    def setUp(self) -> None:
        self.path = os.path.abspath(os.path.join(self.mktemp(), "log", "rqd.log"))

    def observer(self, **settings: object) -> agent.LineObserver:
        return agent.to_file(LoggingSettings(path=self.path, file_appender=True, **settings))

    def test_made_and_continued(self) -> None:
        """The folder is made; a later agent goes on where the file ends."""
        for number in range(2):
            observer = self.observer()
            logger(observer).info("agent number={number}", number=number)
            observer.flush(PATIENCE)
        with open(self.path, encoding="utf-8") as stream:
            self.assertEqual([line[-2] for line in stream], ["0", "1"])

    def test_rotation(self) -> None:
        """A file that has outgrown its size is kept beside the new one, as are a few older ones."""
        self.patch(agent, "ROTATE_AT", 1000)
        observer = self.observer(json=True)
        log = logger(observer)
        for number in range(20):
            log.info("x" * 1000, number=number)
            observer.flush(PATIENCE)
        folder = os.path.dirname(self.path)
        expected = ["rqd.log", *(f"rqd.log.{n}" for n in range(1, agent.KEPT + 1))]
        self.assertEqual(sorted(os.listdir(folder)), expected)
        with open(self.path + ".1", encoding="utf-8") as stream:
            self.assertEqual([json.loads(line)["number"] for line in stream], [18])

    def test_unwritable(self) -> None:
        """A log that can't be opened is an OSError that names it."""
        os.makedirs(self.path)
        problem = self.assertRaises(OSError, self.observer)
        self.assertIn(self.path, str(problem))
