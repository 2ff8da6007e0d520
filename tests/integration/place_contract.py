"""What frames do wherever they run: each place of ``rqd.frame.places`` passes these tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from tests.integration.agent import Agent, AgentCase
from tests.integration.log_frames import until

_PRINT = "echo one; echo two >&2; echo three"
_RULE = {"name": "licenses", "regex": "no license", "exit_status": 330}


def place_contract(where: Callable[..., Any]) -> type[AgentCase]:  # noqa: C901
    """The tests; ``where`` is ``on_agent``, or what makes an agent whose frames run elsewhere."""

    class PlaceContract(AgentCase):
        timeout = 240

        @where()
        async def test_ends(self, agent: Agent) -> None:
            """A command's own end is reported, and what it printed is in the log, in order."""
            frames = {
                (0, 0): agent.launch(_PRINT),
                (7, 0): agent.launch(f"{_PRINT}; exit 7"),
                (200, 0): agent.launch(f"{_PRINT}; exit 200"),
                (1, 11): agent.launch(f"{_PRINT}; kill -SEGV $$"),
                (1, 9): agent.launch(f"{_PRINT}; kill -KILL $$"),
            }
            for end, frame in frames.items():
                self.assertEqual(await frame.ended(), end, frame.log)
                self.assertEqual(await frame.printed(), b"one\ntwo\nthree\n")

        @where()
        async def test_killed(self, agent: Agent) -> None:
            """TERM reaches all of the frame, which may end in its own way."""
            frame = agent.launch(
                "trap 'echo asked; exit 4' TERM; echo up; while :; do sleep 0.1; done"
            )
            await frame.says(b"up")
            agent.kill(frame.id, "because")
            self.assertEqual(await frame.ended(), (4, 0))
            self.assertIn(b"asked\n", frame.output)
            self.assertEqual(frame.footer_value("killMessage"), "because")

        @where(runner={"kill_monitor_timeout": "300ms"})
        async def test_killed_by_force(self, agent: Agent) -> None:
            """What ignores TERM is killed after its grace, with all that it has forked."""
            frame = agent.launch(
                "trap '' TERM; (setsid sleep 900 &); (sleep 901) & echo up; sleep 902"
            )
            await frame.says(b"up")
            await until(lambda: bool(agent.info(frame.id).max_rss))
            agent.kill(frame.id)
            self.assertEqual(await frame.ended(), (1, 9))

        @where()
        async def test_daemons(self, agent: Agent) -> None:
            """What a frame leaves behind ends with it."""
            frame = agent.launch("(setsid sleep 900 </dev/null >/dev/null 2>&1 &); echo over")
            self.assertEqual(await frame.ended(), (0, 0))

        @where()
        async def test_sampled(self, agent: Agent) -> None:
            """Its processes are sampled, by pids of this host; its folders are where they are."""
            made = [f"{folder}/made" for folder in (agent.temp, agent.logs)]
            frame = agent.launch(f"pwd; touch {' '.join(made)}; echo up; sleep 300")
            await frame.says(b"up")
            await until(lambda: bool(agent.info(frame.id).max_rss))
            pids = [child.stat.pid for child in agent.info(frame.id).children.children]
            self.assertTrue(pids)
            for pid in pids:
                os.kill(int(pid), 0)
            self.assertTrue(all(map(os.path.exists, made)))
            agent.kill(frame.id)
            self.assertEqual(await frame.ended(), (1, signal.SIGTERM))
            self.assertIn(agent.temp.encode(), frame.output)

        @where(runner={"log_max_size": "100KB"})
        async def test_log_limit(self, agent: Agent) -> None:
            """A log that grows over its limit ends the frame."""
            self.assertEqual((await agent.launch("yes").ended())[0], 287)

        @where(runner={"log_exit_status_rules": [_RULE]})
        async def test_rules(self, agent: Agent) -> None:
            """Exit-status rules see its output."""
            frame = agent.launch("echo no license; exit 3")
            self.assertEqual(await frame.ended(), (330, 0))

        @where(runner={"prepend_timestamp": False})
        async def test_direct(self, agent: Agent) -> None:
            """Without timestamps it writes to its log itself."""
            frame = agent.launch("echo one; echo two >&2; exit 3")
            self.assertEqual(await frame.ended(), (3, 0))
            self.assertIn(b"\none\ntwo\n", frame.log)

        @where()
        async def test_agent_killed(self, agent: Agent) -> None:
            """A restarted agent goes on with what runs, and tells how the others ended."""
            gates = [agent.gate() for _ in range(2)]
            goes_on = agent.launch(f"echo up; read x <{gates[0].path}; echo on; exit 3")
            ends = agent.launch(f"echo up; read x <{gates[1].path}; echo on; exit 5")
            await goes_on.says(b"up")
            await ends.says(b"up")
            await agent.end(signal.SIGKILL)
            gates[1].open()
            await agent.start_again()
            self.assertEqual(await ends.ended(), (5, 0))
            gates[0].open()
            self.assertEqual(await goes_on.ended(), (3, 0))
            self.assertEqual([goes_on.output, ends.output], [b"up\non\n"] * 2)

        @where()
        async def test_killed_after_restart(self, agent: Agent) -> None:
            """A frame of an earlier agent is sampled, and ended as all are."""
            frame = agent.launch("echo up; sleep 900")
            await frame.says(b"up")
            await agent.end(signal.SIGKILL)
            await agent.start_again()
            await until(lambda: bool(agent.info(frame.id).max_rss))
            agent.kill(frame.id, "enough")
            self.assertEqual(await frame.ended(), (1, 15))

    return PlaceContract
