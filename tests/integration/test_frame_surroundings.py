"""What a frame finds around it: user, environment, folder, priority and processors."""

from __future__ import annotations

import os
from pathlib import Path

from tests.environments import lacks
from tests.integration.agent import Agent, AgentCase, on_agent, root_only

NOBODY = 65534
AS_USER = {"run_as_user": True}
STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: In the agent's own view of the machine nobody is also in these groups, root's among them.
MORE_GROUPS = """\
sed 's/^\\(root\\|video\\|audio\\):.*/&nobody/' /etc/group >$folder/group
mount --bind $folder/group /etc/group"""
#: One socket, one core, two hyper-threads.
HYPER_THREADS = "".join(
    f"processor : {n}\nphysical id : 0\nsiblings : 2\ncore id : 0\ncpu cores : 1\n\n"
    for n in (0, 1)
)
#: Names and values that shells and linkers take exception to.
ODD = {
    "WITH SPACE": "a b",
    "dots.and-dashes": "1",
    "1ST": "x",
    "BASH_FUNC_f%%": "() { echo no; }",
    "LINES_OF": "one\ntwo\n",
    "QUOTES": "'\"`$(id)\\",
    "ÜMLAUT": "ß",
    "IFS": "/",
    "PS4": "$(touch never)",
    "EMPTY": "",
}


def environ(output: bytes) -> dict[str, str]:
    """What ``cat /proc/$$/environ`` printed (the footer begins a new line)."""
    pairs = output.rstrip(b"\n").rstrip(b"\0").split(b"\0")
    return dict(pair.decode().split("=", 1) for pair in pairs)  # type: ignore[misc]


class EnvironmentTests(AgentCase):
    """Made from scratch, and intact."""

    @on_agent()
    async def test_given(self, agent: Agent) -> None:
        """A frame gets what OpenCue promises, its own variables on top, and nothing else."""
        os.environ["OPENRQD_TEST_SECRET"] = "never seen"
        self.addCleanup(os.environ.pop, "OPENRQD_TEST_SECRET")
        mine = {"PATH": "/opt/renderer/bin", "TERM": "mine", "LICENCE": "a@b"}
        frame = agent.launch("cat /proc/$$/environ", environment=mine, user_name="artist")
        found = environ(await frame.printed())
        expected = {
            "PATH": f"{STANDARD_PATH}:/opt/renderer/bin",
            "TERM": "mine",
            "LICENCE": "a@b",
            "USER": "artist",
            "LOGNAME": "artist",
            "mcp": "1",
            "show": "show",
            "shot": "shot",
            "jobid": "show-shot-job",
            "jobhost": "render042",
            "frame": "0001-layer",
            "zframe": "0001-layer",
            "logfile": frame.log_path,
            "maxframetime": "0",
            "minspace": "200",
            "CUE3": "True",
            "SP_NOMYCSHRC": "1",
            "CUE_GPU_MEMORY": "0",
            "PWD": agent.temp,
        }
        self.assertEqual(found, expected)

    @on_agent(runner={"use_host_path_env_var": True, "host_env_vars": ["OPENRQD_TEST_SITE"]})
    async def test_from_the_host(self, agent: Agent) -> None:
        """The host's search path and variables come along where the configuration says so."""
        frame = agent.launch("cat /proc/$$/environ", environment={"PATH": "/opt/bin"})
        found = environ(await frame.printed())
        self.assertEqual(found["PATH"], os.environ["PATH"] + ":/opt/bin")

    @on_agent()
    async def test_odd_names(self, agent: Agent) -> None:
        """Names and values that a shell can't bear arrive untouched."""
        frame = agent.launch("cat /proc/$$/environ", environment=ODD)
        found = environ(await frame.printed())
        self.assertEqual({name: found.get(name) for name in ODD}, ODD)
        self.assertFalse(Path(agent.temp, "never").exists())

    @on_agent(runner=AS_USER)
    async def test_odd_names_of_another_user(self, agent: Agent) -> None:
        """So they do for a frame that runs as another user."""
        root_only()
        frame = agent.launch("cat /proc/$$/environ", environment=ODD, uid=NOBODY, gid=NOBODY)
        found = environ(await frame.printed())
        self.assertEqual({name: found.get(name) for name in ODD}, ODD)


class PlaceTests(AgentCase):
    """Folder, mask, priority, processors."""

    @on_agent("umask 027")
    async def test_folder_and_mask(self, agent: Agent) -> None:
        """A frame works in the temp folder, with the mask that the agent was started with."""
        frame = agent.launch("pwd; umask; touch made; stat -c %a made")
        self.assertEqual(await frame.printed(), f"{agent.temp}\n0027\n640\n".encode())

    @on_agent()
    async def test_input(self, agent: Agent) -> None:
        """A frame reads nothing from stdin, has no terminal, and inherits no descriptor."""
        frame = agent.launch("cat; tty; ls -l /proc/$$/fd | grep -c '^l'; ls /proc/$$/fd")
        printed = await frame.printed()
        self.assertTrue(printed.startswith(b"not a tty\n"), printed)
        self.assertLessEqual({b"0", b"1", b"2"}, set(printed.split()[4:]))
        self.assertLessEqual(set(printed.split()[4:]), {b"0", b"1", b"2", b"255"})

    @on_agent()
    async def test_session(self, agent: Agent) -> None:
        """A frame has a session and a process group of its own."""
        frame = agent.launch("cut -d' ' -f5,6 /proc/$$/stat")
        group, session = map(int, (await frame.printed()).split())
        self.assertEqual(group, session)
        self.assertNotIn(session, (os.getsid(0), os.getsid(agent.pid), 0))

    @on_agent(runner={"desktop_mode": True})
    async def test_nice(self, agent: Agent) -> None:
        """In desktop mode frames have a lower priority than the agent, if there is a lower one."""
        niceness = os.getpriority(os.PRIO_PROCESS, agent.pid)
        self.assertEqual(int(await agent.launch("nice").printed()), min(niceness + 10, 19))

    @on_agent()
    async def test_not_nice(self, agent: Agent) -> None:
        """Elsewhere they have the same."""
        niceness = os.getpriority(os.PRIO_PROCESS, agent.pid)
        self.assertEqual(int(await agent.launch("nice").printed()), niceness)

    @on_agent()
    async def test_pinned(self, agent: Agent) -> None:
        """A threadable frame with whole cores is pinned to them; others may run anywhere."""
        command = "taskset -cp $$ | sed 's/.*: //'; echo $CUE_THREADS $CUE_HT; nproc"
        free = agent.launch(command, num_cores=100)
        gate = agent.gate()
        pinned = agent.launch(
            f"{command}; read < {gate.path}", num_cores=100, environment={"CUE_THREADABLE": "1"}
        )
        await pinned.says(b"[")
        everywhere = (await free.printed()).split(b"\n")
        gate.open()
        threads, told, count = (await pinned.printed()).splitlines()
        self.assertEqual((everywhere[1], int(count)), (b"", int(told.split()[0])))
        self.assertIn(b"pinnedCores       " + threads, pinned.header.replace(b"-", b","))
        self.assertLessEqual(int(count), int(everywhere[2]))

    @on_agent(
        f"printf '%s' '{HYPER_THREADS}' >$folder/cpuinfo",
        machine={"cpuinfo_path": "{folder}/cpuinfo"},
    )
    async def test_pinned_to_hyper_threads(self, agent: Agent) -> None:
        """A core of two hyper-threads is reserved with both, and the frame is told."""
        if not {0, 1} <= os.sched_getaffinity(0):
            lacks("the first two processors are not ours")
        environment = {"CUE_THREADABLE": "1", "CUE_THREADS": "1"}
        command = "taskset -cp $$ | sed 's/.*: //'; echo $CUE_THREADS $CUE_HT"
        frame = agent.launch(command, num_cores=100, environment=environment)
        self.assertEqual(await frame.printed(), b"0,1\n2 True\n")
        self.assertIn(b"pinnedCores       0,1\n", frame.header)

    @on_agent(machine={"monitor_interval": 3600})
    async def test_agents_own(self, agent: Agent) -> None:
        """The agent keeps to one processor, and its frames run on all that it could."""
        if not os.path.exists("/proc/thread-self/schedstat"):
            lacks("the kernel doesn't tell how long threads wait")
        self.assertEqual(len(os.sched_getaffinity(agent.pid)), 1)
        frame = agent.launch("nproc")
        self.assertEqual(int(await frame.printed()), len(os.sched_getaffinity(0)))

    @on_agent()
    async def test_pinned_beside(self, agent: Agent) -> None:
        """Two pinned frames don't share a core, while there are enough."""
        if len(os.sched_getaffinity(0)) < 2:
            lacks("only one processor is ours")
        gate = agent.gate()
        command = f"taskset -cp $$ | sed 's/.*: //'; read < {gate.path}"
        environment = {"CUE_THREADABLE": "1"}
        frames = [agent.launch(command, num_cores=100, environment=environment) for _ in range(2)]
        for frame in frames:
            await frame.says(b"[")
            gate.open()
        first, second = [await frame.printed() for frame in frames]
        self.assertNotEqual(first, second)


class UserTests(AgentCase):
    """Frames that run as their own user."""

    @on_agent(runner=AS_USER)
    async def test_user(self, agent: Agent) -> None:
        """A frame is its user, with that user's groups only, and keeps nothing of root's."""
        root_only()
        frame = agent.launch(
            "id -u; id -g; id -G; grep -E '^(Uid|Gid|CapEff|CapPrm)' /proc/$$/status",
            uid=NOBODY,
            gid=NOBODY - 1,
        )
        lines = (await frame.printed()).split(b"\n")
        self.assertEqual(lines[:2], [b"65534", b"65533"])
        self.assertNotIn(b"0", lines[2].split())
        self.assertEqual(lines[3].split()[1:], [b"65534"] * 4)
        self.assertEqual(lines[4].split()[1:], [b"65533"] * 4)
        self.assertEqual({int(line.split()[1], 16) for line in lines[5:7]}, {0})
        self.assertIn(b"uid               65534", frame.header)

    @on_agent(MORE_GROUPS, mounts=True, runner=AS_USER)
    async def test_groups(self, agent: Agent) -> None:
        """The user's supplementary groups are set, without root's."""
        frame = agent.launch("id -G", uid=NOBODY, gid=NOBODY)
        found = set((await frame.printed()).split())
        view = Path(agent.folder, "group").read_text().splitlines()
        groups = {line.split(":")[0]: line.split(":")[2].encode() for line in view}
        self.assertEqual(found, {b"65534", groups["video"], groups["audio"]})

    @on_agent(runner=AS_USER)
    async def test_by_name(self, agent: Agent) -> None:
        """Without a uid it is the user name that counts."""
        root_only()
        frame = agent.launch("id -un")
        self.assertEqual(await frame.printed(), b"nobody\n")

    @on_agent(runner=AS_USER | {"default_uid": 1234, "default_gid": 4321})
    async def test_unknown(self, agent: Agent) -> None:
        """Without a uid, and with a name that nobody has, it is the configured user."""
        root_only()
        frame = agent.launch("id -u; id -g", user_name="no-such-user")
        self.assertEqual(await frame.printed(), b"1234\n4321\n")

    @on_agent(runner=AS_USER)
    async def test_private_script(self, agent: Agent) -> None:
        """The script is the user's own, and nobody else's business; the log is the user's too."""
        root_only()
        frame = agent.launch('stat -c "%a %u" "$0"', uid=NOBODY, gid=NOBODY)
        self.assertEqual(await frame.printed(), b"500 65534\n")
        self.assertEqual(os.stat(frame.log_path).st_uid, NOBODY)

    @on_agent(runner=AS_USER | {"desktop_mode": True})
    async def test_linker(self, agent: Agent) -> None:
        """The request's environment never reaches a program that runs as root.

        The dynamic linker of every program that gets these variables leaves a file, which belongs
        to the user that the program ran as.
        """
        root_only()
        traces = Path(agent.folder, "traces")
        traces.mkdir()
        traces.chmod(0o1777)
        odd = {"LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": f"{traces}/ld", "LD_PRELOAD": "/nope.so"}
        frame = agent.launch("ls /", uid=NOBODY, gid=NOBODY, environment=odd)
        self.assertEqual((await frame.ended()), (0, 0))
        self.assertEqual({trace.stat().st_uid for trace in traces.iterdir()}, {NOBODY})

    @on_agent(runner=AS_USER)
    async def test_exit_status(self, agent: Agent) -> None:
        """Ends are decoded as everywhere."""
        root_only()
        user = {"uid": NOBODY, "gid": NOBODY}
        frames = [
            agent.launch(command, **user)
            for command in ("exit 7", "kill -SEGV $$", "sh -c 'kill -9 $$'; exit $?")
        ]
        ends = [await frame.ended() for frame in frames]
        self.assertEqual(ends, [(7, 0), (1, 11), (1, 9)])

    @on_agent(runner=AS_USER)
    async def test_closed_log_folder(self, agent: Agent) -> None:
        """The agent makes the log, so a folder that the user may not write to is no obstacle."""
        root_only()
        os.mkdir(f"{agent.logs}/closed", 0o755)
        frame = agent.launch("echo here", log_dir=f"{agent.logs}/closed", uid=NOBODY, gid=NOBODY)
        self.assertEqual(await frame.printed(), b"here\n")
