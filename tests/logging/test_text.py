"""Header and footer."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.logging.text import CoTenant, EndedProcess, FooterFacts, HeaderFacts, footer, header

HEADER = HeaderFacts(
    command="render -f 1",
    uid=1000,
    gid=20,
    log_path="/logs/job.0001-layer.rqlog",
    host="host1",
    job_id="j-1",
    job_name="job",
    frame_id="f-1",
    frame_name="0001-layer",
    environment={"SHOW": "show", "A": "b"},
    written_at=1700000000.0,
    threads=(2, 34),
)
FOOTER = FooterFacts(
    exit_status=1,
    exit_signal=9,
    start_time=1700000000.0,
    end_time=1700000010.5,
    run_time=10.5,
    max_rss=2048,
    max_used_gpu_memory=7,
    kill_message="by hand\nreally",
    processes=[EndedProcess(7, "bash", 100, "bash -c true")],
)


def fields(text: bytes) -> dict[str, str]:
    """The lines that begin with a name."""
    lines = [
        line for line in text.decode().splitlines() if line and not line.startswith((" ", "="))
    ]
    return {line[:18].strip(): line[18:] for line in lines}


class HeaderTests(SynchronousTestCase):
    """``header``."""

    def test_fields(self) -> None:
        """Everything that SPEC asks for has a line."""
        found = fields(header(HEADER))
        self.assertIn("RenderQ JobSpec", found)
        for name, value in {
            "command": "render -f 1",
            "uid": "1000",
            "gid": "20",
            "logDestination": "/logs/job.0001-layer.rqlog",
            "renderHost": "host1",
            "jobId": "j-1",
            "jobName": "job",
            "frameId": "f-1",
            "frameName": "0001-layer",
            "pinnedCores": "2,34",
        }.items():
            self.assertEqual(found[name], value)

    def test_environment_is_sorted(self) -> None:
        """The environment is a block of sorted lines."""
        text = header(HEADER).decode()
        self.assertIn("environment\n" + " " * 18 + "A=b\n" + " " * 18 + "SHOW=show\n", text)

    @settings(deadline=None)
    @given(st.text(alphabet="aR=\r\n\x0b\x0c\x1c\x85\u2028 ", max_size=30))
    def test_no_forged_lines(self, value: str) -> None:
        """Whatever a value holds, no line of it begins where names begin."""
        plain = fields(header(HEADER))
        forged = HEADER._replace(command=value, environment={"K": value})
        found = header(forged).decode().splitlines()
        self.assertEqual(
            [line[:18].strip() for line in found if line[:1] not in (" ", "", "=")], list(plain)
        )

    def test_odd_bytes(self) -> None:
        """Bytes that are no UTF-8 come out as they went in."""
        text = header(
            HEADER._replace(environment={"K": b"\xff".decode("utf-8", "surrogateescape")})
        )
        self.assertIn(b"K=\xff\n", text)


class FooterTests(SynchronousTestCase):
    """``footer``."""

    def test_fields(self) -> None:
        """Everything that SPEC asks for has a line; a long message goes on below."""
        text = footer(FOOTER)
        found = fields(text)
        self.assertIn("Render Frame Completed", text.decode().splitlines())
        for name, value in {
            "exitStatus": "1",
            "exitSignal": "9",
            "killMessage": "by hand",
            "maxrss": "2048",
            "maxUsedGpuMemory": "7",
            "runTime": "10",
        }.items():
            self.assertEqual(found[name], value)
        self.assertIn(b"\n" + b" " * 18 + b"really\n", text)
        self.assertIn(b"7 bash rss=100 bash -c true\n", text)

    def test_forged_kill_message(self) -> None:
        """A kill message can't pretend to be another footer."""
        text = footer(FOOTER._replace(kill_message="x\nexitStatus        0"))
        self.assertEqual(text.count(b"\nexitStatus"), 1)

    def test_line_break_at_the_end(self) -> None:
        """A message that ends with a line break leaves an empty line, not one of blanks."""
        text = footer(FOOTER._replace(kill_message="by hand\r\n"))
        self.assertIn(b"\nkillMessage       by hand\n\nstartTime", text)

    def test_co_tenants(self) -> None:
        """A failure lists the 15 biggest and the frame itself, and marks who is over its limit."""
        tenants = [CoTenant(f"t{rss}", rss, 0) for rss in range(100, 120)]
        tenants += [CoTenant("hog", 500, 400), CoTenant("me", 1, 10, itself=True)]
        lines = footer(FOOTER._replace(co_tenants=tenants)).decode().split("hostMemory\n")[1]
        shown = [line.strip() for line in lines.splitlines()[:-1]]
        self.assertEqual(len(shown), 16)
        self.assertEqual(shown[0], "hog rss=500 limit=400 OVER ITS LIMIT")
        self.assertEqual(shown[1], "t119 rss=119 limit=0")
        self.assertEqual(shown[-1], "me rss=1 limit=10 (this frame)")

    def test_no_co_tenants_of_a_success(self) -> None:
        """Who ended well has no use for it."""
        facts = FOOTER._replace(exit_status=0, exit_signal=0, co_tenants=[CoTenant("t", 1, 1)])
        self.assertNotIn(b"hostMemory", footer(facts))

    def test_remarks(self) -> None:
        """What the agent has to say has lines of its own."""
        text = footer(FOOTER._replace(remarks=("exit status 1 made 40 by rule licence",)))
        self.assertEqual(fields(text)["remark"], "exit status 1 made 40 by rule licence")
