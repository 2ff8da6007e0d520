"""The programs around a command, and that no text of a request can become one of them."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.chain import Chain, Surroundings, build, program, script
from rqd.frame.environment import STANDARD_PATH
from rqd.frame.users import Identity

ARTIST = Identity(1001, 20, (20, 44))
PLAIN = {"A": "1", "PATH": "/bin"}


def around(**changes: Any) -> Surroundings:
    facts: dict[str, Any] = {
        "shell": "/bin/bash",
        "folder": "/tmp",
        "umask": 0o022,
        "cgroup": "",
        "threads": (),
        "nice": False,
        "identity": None,
    }
    return Surroundings(**facts | changes)


def built(environment: dict[str, str] = PLAIN, **changes: Any) -> Chain:
    return build(around(**changes), "/tmp/f.sh", environment)


def links(chain: Chain) -> list[str]:
    """What the supervisor's child becomes: what follows the three facts that it is given."""
    return chain.arguments[chain.arguments.index("openrqd") + 4 :]


class BuildTests(SynchronousTestCase):
    """L{build}."""

    def test_plain(self) -> None:
        """Without any wish the frame's shell is what the supervisor's child becomes at once."""
        chain = built()
        supervisor = chain.arguments[: chain.arguments.index("openrqd") - 1]
        self.assertEqual(supervisor[-2:], [program("sh"), "-c"])
        self.assertEqual(links(chain), ["/bin/bash", "/tmp/f.sh"])
        self.assertEqual(chain.environment, PLAIN)

    def test_given_facts(self) -> None:
        """The supervisor gets umask, folder and control group as arguments, never as text."""
        chain = built(folder="/tmp/$(reboot)", umask=0o7, cgroup="/sys/fs/cgroup/a b")
        first = chain.arguments.index("openrqd") + 1
        self.assertEqual(
            chain.arguments[first : first + 3], ["0007", "/tmp/$(reboot)", "/sys/fs/cgroup/a b"]
        )

    def test_pinned(self) -> None:
        """A pinned frame is bound to its threads."""
        self.assertEqual(links(built(threads=(0, 2, 5)))[:3], [program("taskset"), "-c", "0,2,5"])

    def test_nice(self) -> None:
        """On a desktop the frame gives way."""
        self.assertEqual(links(built(nice=True))[0], program("nice"))

    def test_identity(self) -> None:
        """A frame of a user becomes that user, with the groups of that user."""
        self.assertEqual(
            links(built(identity=ARTIST))[:7],
            [program("setpriv"), "--reuid", "1001", "--regid", "20", "--groups", "20,44"],
        )

    def test_no_groups(self) -> None:
        """Who has no groups loses the agent's."""
        became = links(built(identity=Identity(1001, 20, ())))
        self.assertEqual(became[5], "--clear-groups")

    def test_order(self) -> None:
        """What needs the agent's rights comes before they are given up, the shell comes last."""
        everything = links(built(threads=(1,), nice=True, identity=ARTIST))
        places = [
            everything.index(program(name)) for name in ("taskset", "nice", "setpriv", "sh", "env")
        ]
        self.assertEqual(places, sorted(places))
        self.assertEqual(everything[-2:], ["/bin/bash", "/tmp/f.sh"])

    def test_environment_behind_setpriv(self) -> None:
        """A user's frame gets its environment behind setpriv: nothing before it ever sees it."""
        chain = built({"LD_PRELOAD": "/evil.so", "A": "1"}, identity=ARTIST)
        self.assertEqual(chain.environment, {"PATH": STANDARD_PATH})
        became = links(chain)
        self.assertLess(became.index(program("setpriv")), became.index("LD_PRELOAD=/evil.so"))

    def test_clean_links(self) -> None:
        """Links that run before the frame is itself get no more than a search path."""
        for changes in ({"nice": True}, {"threads": (1,)}):
            self.assertNotIn("LD_PRELOAD", built({"LD_PRELOAD": "x"}, **changes).environment)

    def test_names_that_take_the_env_way(self) -> None:
        """What the linker or the supervising shell would act on, or drop, is set by ``env``."""
        for name in ("LD_PRELOAD", "LD_x", "GLIBC_TUNABLES", "MALLOC_CHECK_", "IFS", "PWD", "ENV"):
            self.assertIn(f"{name}=x", links(built({name: "x"})))
        for name in ("a b", "a-b", "é", "1A", "BASH_FUNC_f%%", "a\n", "-i", "--chdir"):
            self.assertIn(f"{name}=x", links(built({name: "x"})))

    def test_names_of_bash(self) -> None:
        """The same holds for a host whose ``sh`` is bash."""
        for name in ("SHELLOPTS", "BASHOPTS", "BASH_ENV", "POSIXLY_CORRECT"):
            self.assertIn(f"{name}=x", links(built({name: "x"})))

    def test_plain_names(self) -> None:
        """Common names don't cost a link more."""
        names = ("A", "_a1", "CUE_THREADS", "USER", "HOME", "OLD", "shot", "A" * 500)
        chain = built(dict.fromkeys(names, "$(reboot) '\"\n\\"))
        self.assertEqual(links(chain), ["/bin/bash", "/tmp/f.sh"])

    @given(
        environment=st.dictionaries(st.text(min_size=1), st.text(), max_size=4),
        folder=st.text(),
        shell=st.text(),
        user=st.booleans(),
        threads=st.lists(st.integers(0, 99), max_size=3).map(tuple),
    )
    def test_no_text_is_code(
        self,
        environment: dict[str, str],
        folder: str,
        shell: str,
        user: bool,
        threads: tuple[int, ...],
    ) -> None:
        """Every script that a shell gets is one of ours, whatever the request holds."""
        ours = {*built().arguments, *built(nice=True, identity=ARTIST).arguments}
        identity = ARTIST if user else None
        given = build(
            around(folder=folder, shell=shell, identity=identity, threads=threads),
            "/tmp/f.sh",
            environment,
        ).arguments
        scripts = [
            given[place + 2]
            for place, argument in enumerate(given[:-2])
            if argument == program("sh") and given[place + 1] == "-c"
        ]
        self.assertTrue(scripts)
        self.assertEqual(set(scripts) - ours, set())


class EnvironmentTests(SynchronousTestCase):
    """That C{env} sets what it is told to set."""

    def through(self, environment: dict[str, str]) -> dict[str, str]:
        """What a program behind the chain's C{env} finds."""
        arguments = links(built(environment | {"a-b": "env way"}))
        self.assertEqual(arguments[-2:], ["/bin/bash", "/tmp/f.sh"])
        listed = subprocess.run(
            [*arguments[:-2], program("env"), "-0"], capture_output=True, check=True
        ).stdout
        pairs = (line.partition("=") for line in os.fsdecode(listed).split("\0") if line)
        return {name: value for name, _, value in pairs if name != "a-b"}

    def test_names_like_options(self) -> None:
        """A name that looks like an option of ``env`` is a name all the same."""
        odd = {"-i": "1", "--chdir": "/nowhere", "-S": "reboot", "--": "x", "-": "y", "-u": ""}
        self.assertEqual(self.through(odd), odd)

    @settings(max_examples=30, deadline=None)
    @given(
        st.dictionaries(
            st.text(
                st.characters(blacklist_characters="\0=", blacklist_categories=["Cs"]), min_size=1
            ).map("-".__add__),
            st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])),
            max_size=3,
        )
    )
    def test_any_name(self, odd: dict[str, str]) -> None:
        """So is every other name, and its value is what was asked for."""
        odd.pop("a-b", None)
        self.assertEqual(self.through(odd), odd)


class ScriptTests(SynchronousTestCase):
    """L{script}."""

    def test_text(self) -> None:
        """The command stands as it came below a line that names the shell."""
        command = "echo \"a\" 'b' $C `d`\\\nnext && exit 3"
        self.assertEqual(script("/bin/bash", command), f"#!/bin/bash\n{command}\n".encode())

    @given(st.binary())
    def test_any_bytes(self, command: bytes) -> None:
        """Bytes that are no UTF-8 come through."""
        text = script("/bin/sh", command.decode(errors="surrogateescape"))
        self.assertEqual(text, b"#!/bin/sh\n" + command + b"\n")


class ProgramTests(SynchronousTestCase):
    """L{program}."""

    def test_found(self) -> None:
        """A standard program is named by its path."""
        self.assertTrue(os.access(program("sh"), os.X_OK))
        self.assertTrue(os.path.isabs(program("sh")))

    def test_missing(self) -> None:
        """One that isn't there keeps its name, for the error to tell."""
        self.assertEqual(program("no-such-program"), "no-such-program")
