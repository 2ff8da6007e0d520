"""What the command line takes, part by part."""

from __future__ import annotations

from argparse import ArgumentTypeError
from io import StringIO
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from dummy_cuebot.addresses import endpoint, port
from dummy_cuebot.calls import CALLS, points
from dummy_cuebot.command import parser
from dummy_cuebot.run_job import setting
from dummy_cuebot.sample_frame import User, environment, sample_frame, somebody
from dummy_cuebot.screen import Screen, bar
from dummy_cuebot.waiting import exit_code
from rqd.proto import rqd_pb2


class Arguments(SynchronousTestCase):
    def refused(self, parse: Any, *texts: str) -> None:
        for text in texts:
            self.assertRaises(ArgumentTypeError, parse, text)

    def test_environment(self) -> None:
        """--env is NAME=VALUE by comma; a value may hold more equal signs, or nothing."""
        self.assertEqual(environment("A=B,C=D=E,F="), {"A": "B", "C": "D=E", "F": ""})
        self.assertEqual(environment(""), {})
        self.refused(environment, "A", "A=B,C", "=B")

    def test_addresses(self) -> None:
        """A host may have a port, and an IPv6 address its brackets."""
        parse = endpoint(8444)
        for text, expected in {
            "h": "h:8444",
            "h:1": "h:1",
            "[::1]:2": "[::1]:2",
            "[::1]": "[::1]:8444",
            "::1": "[::1]:8444",
        }.items():
            self.assertEqual(parse(text), expected)
        self.refused(parse, "", ":1", "h:", "h:x", "h:99999")

    def test_ports(self) -> None:
        """A port is a number that fits."""
        self.assertEqual(port("0"), 0)
        self.refused(port, "-1", "65536", "x", "", "²")

    def test_cores(self) -> None:
        """Cores become points."""
        self.assertEqual([points("1"), points("0.5"), points("-1")], [100, 50, -100])
        self.refused(points, "x", "nan", "inf")

    def test_settings(self) -> None:
        """--set is NAME=VALUE with any value."""
        self.assertEqual(setting("a=b=c"), ("a", "b=c"))
        self.refused(setting, "a", "=b", "a-b=c")

    def test_host_option(self) -> None:
        """-h is the host in rqd-client, as its users know it."""
        options = parser().parse_args(["rqd-client", "-h", "box", "-p", "1", "report"])
        self.assertEqual((options.host, options.port), ("box", 1))


class Requests(SynchronousTestCase):
    def test_every_call_sends_the_message_of_its_rpc(self) -> None:
        """Each command of the table builds the request that the contract has for its rpc."""
        methods = rqd_pb2.DESCRIPTOR.services_by_name["RqdInterface"].methods_by_name
        options = parser().parse_args(["rqd-client", "kill-frame", "f"])
        options.cores = 100
        for call in CALLS.values():
            request = call.request(options)
            self.assertEqual(request.DESCRIPTOR, methods[call.method].input_type)
        covered = {call.method for call in CALLS.values()} | {"LaunchFrame"}
        self.assertEqual(covered, set(methods))

    def test_sample_frame(self) -> None:
        """A test frame has the documented names, ids of its own, and no uid unless asked."""
        first, second = (sample_frame("true", somebody(), {"A": "B"}, 10) for _ in range(2))
        self.assertEqual(
            (first.job_name, first.frame_name, first.log_dir, first.HasField("uid")),
            ("test_job", "test_frame", "/tmp/rqd", False),
        )
        self.assertNotEqual(first.frame_id, second.frame_id)
        self.assertEqual((first.num_cores, dict(first.environment)), (10, {"A": "B"}))

    def test_as_user(self) -> None:
        """With a user, uid and gid are sent."""
        frame = sample_frame("true", User("u", 7, 8), {}, 10)
        self.assertEqual((frame.user_name, frame.uid, frame.gid), ("u", 7, 8))


class Ends(SynchronousTestCase):
    def test_exit_codes(self) -> None:
        """A frame's end as an exit status: signals as a shell shows them, 255 for the rest."""
        self.assertEqual(
            [exit_code(*end) for end in ((0, 0), (3, 0), (255, 0), (256, 0), (1, 15), (0, 9))],
            [0, 3, 255, 255, 143, 137],
        )


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


class Screens(SynchronousTestCase):
    def test_piped(self) -> None:
        """Piped output has lines and no progress."""
        stream = StringIO()
        screen = Screen(stream)
        screen.progress("50 %")
        screen.line("a")
        screen.progress("")
        self.assertEqual(stream.getvalue(), "a\n")

    def test_terminal(self) -> None:
        """On a terminal lines go above the progress, which is redrawn and in the end removed."""
        stream = Terminal()
        screen = Screen(stream)
        screen.progress("50 %")
        screen.line("a")
        screen.progress("")
        self.assertEqual(stream.getvalue(), "50 %\r\x1b[Ka\n50 %\r\x1b[K")

    def test_bar(self) -> None:
        """The bar is full at the end, and for nothing to do."""
        self.assertEqual(bar(1, 2, "x"), f"[{'#' * 15}{'.' * 15}] 1/2 x")
        self.assertEqual(bar(0, 0), f"[{'#' * 30}] 0/0")
