"""dummy-cuebot as its users run it: real processes, real calls, against a stub of an agent."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from dummy_cuebot.calls import CALLS
from tests.dummy_cuebot.stub_agent import StubAgent

ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-m", "dummy_cuebot")
TIMEOUT = 60


class Programs(SynchronousTestCase):
    """Starts programs and agents, and ends them all."""

    def run_program(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *map(str, arguments)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    def start_program(self, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.end, process)
        return process

    def start_server(self, *options: object) -> tuple[subprocess.Popen[str], str]:
        """A report server that serves, and its address."""
        server = self.start_program("report-server", "-p", 0, *options)
        assert server.stderr
        return server, server.stderr.readline().split()[-1]

    def start_agent(self, cuebot: str = "", name: str = "stub") -> StubAgent:
        agent = StubAgent(name)
        self.addCleanup(agent.stop)
        if cuebot:
            agent.report_to(cuebot)
        return agent

    def end(self, process: subprocess.Popen[str]) -> int:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=TIMEOUT)
        return process.returncode

    def client(self, agent: StubAgent, *arguments: object) -> subprocess.CompletedProcess[str]:
        return self.run_program("rqd-client", "-h", "127.0.0.1", "-p", agent.port, *arguments)


class Helping(Programs):
    def test_help_of_everything(self) -> None:
        """Every command explains itself and exits with 0."""
        commands = [[], ["report-server"], ["run-job"], ["rqd-client"]]
        commands += [["rqd-client", name] for name in ("launch-frame", "kill-frame", "lock")]
        for command in commands:
            done = self.run_program(*command, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertTrue(done.stdout.startswith("usage: dummy-cuebot"), done.stdout)
        listed = self.run_program("rqd-client", "--help").stdout
        for name in CALLS:
            self.assertIn(name, listed)

    def test_usage(self) -> None:
        """Wrong usage is told in a line, with exit status 2."""
        for arguments in ([], ["dance"], ["rqd-client", "launch-frame", "x", "--env", "A"]):
            done = self.run_program(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertNotIn("Traceback", done.stderr)


class Serving(Programs):
    def test_reports_as_lines(self) -> None:
        """Each report is one plain line when piped."""
        server, address = self.start_server()
        self.start_agent(address)
        assert server.stdout
        line = server.stdout.readline()
        self.assertRegex(line, r"^\d\d:\d\d:\d\d startup    stub: cores 2 = 2 idle")

    def test_reports_as_json(self) -> None:
        """With --json each report is one JSON object."""
        server, address = self.start_server("--json")
        self.start_agent(address)
        assert server.stdout
        self.assertEqual(json.loads(server.stdout.readline())["message"]["host"]["name"], "stub")

    def test_colour_on_a_terminal(self) -> None:
        """On a terminal the lines are coloured."""
        controller, terminal = pty.openpty()
        self.addCleanup(os.close, controller)
        environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        server = subprocess.Popen(
            [*PROGRAM, "report-server", "-p", "0"],
            cwd=ROOT, stdout=terminal, stderr=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        os.close(terminal)
        self.addCleanup(self.end, server)
        assert server.stderr
        self.start_agent(server.stderr.readline().split()[-1])
        with open(controller, "rb", buffering=0, closefd=False) as screen:
            self.assertIn(b"\x1b[1mstartup", screen.read(1000))

    def test_signals(self) -> None:
        """SIGTERM and SIGINT end it, with status 0."""
        for number in (signal.SIGTERM, signal.SIGINT):
            server, _ = self.start_server()
            server.send_signal(number)
            self.assertEqual(server.wait(TIMEOUT), 0)

    def test_port_taken(self) -> None:
        """A taken port is told in a line, with exit status 125."""
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            done = self.run_program("report-server", "-p", other.getsockname()[1])
        self.assertEqual(done.returncode, 125)
        self.assertRegex(done.stderr, r"dummy-cuebot: can't listen on 127.0.0.1:\d+: is the port")
        self.assertNotIn("Traceback", done.stderr)

    def test_reader_that_has_seen_enough(self) -> None:
        """A closed pipe ends the server quietly."""
        server, address = self.start_server()
        assert server.stdout and server.stderr
        server.stdout.close()
        self.start_agent(address)
        self.assertEqual(server.wait(TIMEOUT), 0)
        self.assertEqual(server.stderr.read(), "")


class Calling(Programs):
    def test_launch_and_kill(self) -> None:
        """A launch prints the frame's id, by which the frame is seen and killed."""
        agent = self.start_agent()
        frame_id = self.client(agent, "launch-frame", "sleep 60").stdout.strip()
        status = self.client(agent, "status", frame_id)
        told = json.loads(status.stdout)["running_frame_info"]["frame_name"]
        self.assertEqual(told, "test_frame")
        done = self.client(agent, "kill-frame", frame_id, "--reason", "because")
        self.assertEqual((done.returncode, agent.calls[-1].message), (0, "because"))

    def test_launch_sends_what_was_asked(self) -> None:
        """Environment and cores arrive as given."""
        agent = self.start_agent()
        self.client(agent, "launch-frame", "true", "--env", "A=B,C=D", "--cores", "0.5")
        frame = agent.calls[0].run_frame
        self.assertEqual((dict(frame.environment), frame.num_cores), ({"A": "B", "C": "D"}, 50))

    def test_lock(self) -> None:
        """Cores go over the wire as points."""
        agent = self.start_agent()
        self.assertEqual(self.client(agent, "lock", "1.5").returncode, 0)
        self.assertEqual(agent.calls[0].cores, 150)

    def test_refusals(self) -> None:
        """What the agent refuses is told in its words, with exit status 125."""
        agent = self.start_agent()
        done = self.client(agent, "kill-frame", "nobody")
        refusal = "refused KillRunningFrame: no such frame (NOT_FOUND)"
        self.assertEqual(done.returncode, 125)
        self.assertEqual(done.stderr, f"dummy-cuebot: 127.0.0.1:{agent.port} {refusal}\n")
        self.assertIn("(UNIMPLEMENTED)", self.client(agent, "reboot-idle").stderr)

    def test_wrong_port(self) -> None:
        """Where no agent listens, a sentence says so, with exit status 125."""
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            done = self.run_program("rqd-client", "-h", "127.0.0.1", "-p",
                                    nobody.getsockname()[1], "report")  # fmt: skip
        self.assertEqual(done.returncode, 125)
        self.assertRegex(done.stderr, r"^dummy-cuebot: no answer from 127.0.0.1:\d+ to ReportStat")
        self.assertNotIn("Traceback", done.stderr)


class Waiting(Programs):
    def launch(self, agent: StubAgent, server: str, command: str, *more: object) -> Any:
        return self.client(
            agent, "launch-frame", command, "--wait", "--report-server", server, *more
        )

    def test_status_of_the_frame(self) -> None:
        """--wait exits with the frame's status; 128 + n after signal n."""
        _, address = self.start_server()
        agent = self.start_agent(address)
        for command, status in {"true": 0, "exit 42": 42, "kill -9 $$": 137}.items():
            self.assertEqual(self.launch(agent, address, command).returncode, status)

    def test_completion_that_is_refused_at_first(self) -> None:
        """The end counts when it is acknowledged: not while it is answered with errors."""
        _, address = self.start_server("--fail-completions", 2)
        agent = self.start_agent(address)
        self.assertEqual(self.launch(agent, address, "exit 5").returncode, 5)

    def test_late_answers(self) -> None:
        """A server that answers late still tells the end."""
        _, address = self.start_server("--delay", 0.2)
        agent = self.start_agent(address)
        self.assertEqual(self.launch(agent, address, "exit 5").returncode, 5)

    def test_many(self) -> None:
        """--count launches that many, each once; --wait exits with the worst of them."""
        _, address = self.start_server()
        agent = self.start_agent(address)
        done = self.launch(agent, address, "exit 4", "--count", 50, "--cores", 0.01)
        frame_ids = done.stdout.split()
        self.assertEqual((len(set(frame_ids)), done.returncode), (50, 4))
        self.assertEqual({call.run_frame.frame_id for call in agent.calls}, set(frame_ids))
        self.assertNotIn("#", done.stderr)

    def test_more_than_fit(self) -> None:
        """Refused launches are counted and told, with exit status 125."""
        agent = self.start_agent()
        done = self.client(agent, "launch-frame", "sleep 60", "--count", 5, "--cores", 1)
        self.assertEqual((len(done.stdout.split()), done.returncode), (2, 125))
        self.assertIn("no idle cores (RESOURCE_EXHAUSTED) (3 times)", done.stderr)

    def test_no_report_server(self) -> None:
        """Without a report server nothing is launched, and the sentence says what is missing."""
        agent = self.start_agent()
        done = self.launch(agent, f"127.0.0.1:{agent.port}", "true")
        self.assertEqual((done.returncode, agent.calls), (125, []))
        self.assertIn("--wait needs", done.stderr)


class Producing(Programs):
    JOB = """
job: small
log_root: "{work}"
layers:
  - {name: make, range: 1-6, command: "echo {frame} >> {work}/made"}
  - {name: check, after: [make], command: "test $(wc -l < {work}/made) = 6"}
  - {name: fails, command: exit 3, expect: {exit_status: 3}}
  - {name: flaky, retries: 1, command: "test -e {work}/seen || { touch {work}/seen; exit 1; }"}
  - {name: killed, command: sleep 60, kill_after_seconds: 0, expect: {exit_signal: 15}}
"""

    def start_job(self, text: str, *agents: StubAgent) -> subprocess.Popen[str]:
        """A job in a folder of its own; the agents then report to it."""
        work = Path(self.mktemp()).resolve()
        work.mkdir()
        (work / "job.yaml").write_text(text)
        hosts = [f"--host=127.0.0.1:{agent.port}" for agent in agents]
        job = self.start_program(
            "run-job",
            work / "job.yaml",
            "-p",
            0,
            "--timeout",
            TIMEOUT,
            f"--set=work={work}",
            *hosts,
        )
        assert job.stdout
        address = job.stdout.readline().split()[-1]
        for agent in agents:
            agent.report_to(address)
        return job

    def finish(self, job: subprocess.Popen[str]) -> tuple[int, str]:
        told, errors = job.communicate(timeout=TIMEOUT)
        self.assertEqual(errors, "")
        return job.returncode, told

    def test_one_agent(self) -> None:
        """Frames run in their order, ends are judged as the file says, and the job succeeds."""
        status, told = self.finish(self.start_job(self.JOB, self.start_agent()))
        self.assertEqual(status, 0, told)
        self.assertIn("10 frames in", told)
        self.assertIn("0001-flaky is tried again, 0 retries left", told)

    def test_two_agents(self) -> None:
        """The frames are shared between agents, each frame once."""
        agents = self.start_agent(name="one"), self.start_agent(name="two")
        job = "{job: j, log_root: /x, layers: [{name: a, range: 1-4, command: sleep 0.1}]}"
        status, told = self.finish(self.start_job(job, *agents))
        self.assertEqual((status, [len(agent.calls) for agent in agents]), (0, [2, 2]), told)

    def test_unexpected_end(self) -> None:
        """A frame that ends otherwise than expected fails the job, and is named."""
        job = "{job: j, log_root: /x, layers: [{name: a, command: exit 9},"
        job += "{name: b, after: [a], command: 'true'}]}"
        status, told = self.finish(self.start_job(job, self.start_agent()))
        self.assertEqual(status, 1)
        self.assertIn("  0001-a: exit 9, expected exit 0\n", told)
        self.assertIn("0 as expected (0.0/s), 1 not as expected, 1 not run to the end", told)

    def test_interrupted(self) -> None:
        """A job that is stopped kills its frames before it goes."""
        agent = self.start_agent()
        job = self.start_job(
            "{job: j, log_root: /x, layers: [{name: a, command: sleep 60}]}", agent
        )
        assert job.stdout
        while "takes part" not in job.stdout.readline():
            pass
        job.send_signal(signal.SIGTERM)
        status, told = self.finish(job)
        self.assertEqual(status, 1)
        self.assertIn("0001-a is killed: the job was stopped", told)
        self.assertIn("exit 1 signal 15", told)

    def test_no_agent(self) -> None:
        """A job that finds none of its agents ends with a sentence."""
        agent = self.start_agent()
        path = Path(self.mktemp()).resolve()
        path.write_text("{job: j, log_root: /x, layers: [{name: a, command: 'true'}]}")
        host = f"--host=127.0.0.1:{agent.port}"
        done = self.run_program("run-job", path, "-p", 0, host, "--host-timeout", 0.5)
        self.assertEqual(done.returncode, 1)
        self.assertIn("never reported here: are we its Cuebot?", done.stdout)
        self.assertIn("no agent to run on: the job is stopped", done.stdout)

    def test_bad_file(self) -> None:
        """Mistakes in the job file are lines with the file's name, with exit status 125."""
        path = Path(self.mktemp()).resolve()
        path.write_text("layers: []")
        done = self.run_program("run-job", path)
        self.assertEqual(done.returncode, 125)
        self.assertIn(f"dummy-cuebot: {path}: job: is missing\n", done.stderr)
        self.assertIn("layers: expected a list of layers", done.stderr)
