"""The programs around a command, and that no text of a request can become one of them."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import unittest
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.chain import ENDS, Surroundings, orders, program, script, supervisor
from rqd.frame.environment import STANDARD_PATH
from rqd.frame.users import Identity

ARTIST = Identity(1001, 20, (20, 44))
PLAIN = {"A": "1", "PATH": "/bin"}
NAMES = st.from_regex(r"[A-Z_]{1,9}", fullmatch=True).map("X".__add__)
#: What a request may hold: any text but NUL.
TEXTS = st.binary(max_size=40).map(lambda text: os.fsdecode(text.replace(b"\0", b"")))

needs_root = unittest.skipIf(os.geteuid() != 0, "only root can become somebody else")


def around(**changes: Any) -> Surroundings:
    facts: dict[str, Any] = {
        "shell": "/bin/bash",
        "folder": "/tmp",
        "umask": 0o022,
        "descriptors": 1024,
        "threads": (),
        "nice": False,
        "identity": None,
    }
    return Surroundings(**facts | changes)


def ordered(environment: dict[str, str] = PLAIN, **changes: Any) -> list[str]:
    """The orders as a shell splits them."""
    text = orders(around(**changes), "/tmp/f.sh", environment)("/state/f.spool")
    return shlex.split(os.fsdecode(text), comments=False)


def command(words: list[str]) -> list[str]:
    """What the waiting shell becomes."""
    if "[" in words and words.index("[") < words.index(")"):
        return words[words.index("--") + 1 : words.index("[")]
    return words[len(words) - 1 - words[::-1].index("exec") + 1 : words.index(")")]


def exported(words: list[str]) -> dict[str, str]:
    """What the waiting shell exports."""
    pairs = []
    for word in words[words.index("export") + 1 :]:
        if word in ("set", "exec"):
            break
        pairs.append(word.split("=", 1))
    return dict(pairs)


class OrdersTests(SynchronousTestCase):
    """L{orders}."""

    def test_plain(self) -> None:
        """Without any wish the frame's shell is what the waiting shell becomes at once."""
        words = ordered()
        self.assertEqual(command(words), ["/bin/bash", "/tmp/f.sh"])
        self.assertEqual(exported(words), PLAIN)

    def test_given_facts(self) -> None:
        """Umask, folder, limit and output are quoted: they can't become code."""
        words = ordered(folder="/tmp/$(reboot)", umask=0o7, descriptors=77)
        for name, value in (("umask", "0007"), ("cd", "/tmp/$(reboot)"), ("-n", "77")):
            self.assertEqual(words[words.index(name) + 1], value)
        self.assertIn("3>>/state/f.spool", words)

    def test_one_command(self) -> None:
        """All of it is one command, so that a part of it is none."""
        text = orders(around(), "/tmp/f.sh", PLAIN)("/dev/null")
        for length in range(0, len(text) - 3, 7):
            ended = subprocess.run(
                ["/bin/sh", "-c", ". /proc/self/fd/0; exit 9"],
                input=text[:length],
                capture_output=True,
                check=False,
            )
            self.assertIn(ended.returncode, (2, 9))
            self.assertNotIn(b"up", ended.stdout)

    def test_pinned(self) -> None:
        """A pinned frame is bound to its threads."""
        pinned = command(ordered(threads=(0, 2, 5)))
        self.assertEqual(pinned[:3], [program("taskset"), "-c", "0,2,5"])

    def test_nice(self) -> None:
        """On a desktop the frame gives way."""
        self.assertEqual(command(ordered(nice=True))[0], program("nice"))

    def test_identity(self) -> None:
        """A frame of a user becomes that user, with the groups of that user."""
        self.assertEqual(
            command(ordered(identity=ARTIST))[:7],
            [program("setpriv"), "--reuid", "1001", "--regid", "20", "--groups", "20,44"],
        )

    def test_no_groups(self) -> None:
        """Who has no groups loses the agent's."""
        became = command(ordered(identity=Identity(1001, 20, ())))
        self.assertEqual(became[5], "--clear-groups")

    def test_order(self) -> None:
        """What needs the agent's rights comes before they are given up, the shell comes last."""
        everything = command(ordered(threads=(1,), nice=True, identity=ARTIST))
        places = [everything.index(program(name)) for name in ("taskset", "nice", "setpriv", "sh")]
        self.assertEqual(places, sorted(places))
        self.assertEqual(everything[-2:], ["/bin/bash", "/tmp/f.sh"])

    def test_environment_behind_setpriv(self) -> None:
        """A user's frame gets its environment behind setpriv: nothing before it ever sees it."""
        words = ordered({"LD_PRELOAD": "/evil.so", "A": "1"}, identity=ARTIST)
        self.assertEqual(exported(words), {"PATH": STANDARD_PATH})
        became = command(words)
        self.assertLess(became.index(program("setpriv")), became.index("LD_PRELOAD=/evil.so"))

    def test_plain_environment_behind_setpriv(self) -> None:
        """A plain one, too, though no ``env`` sets it."""
        words = ordered({"A": "1"}, identity=ARTIST)
        self.assertEqual(exported(words), {"PATH": STANDARD_PATH})
        became = command(words)
        self.assertLess(became.index(program("setpriv")), became.index("A=1"))
        self.assertNotIn(program("env"), became)

    def test_clean_links(self) -> None:
        """Links that run before the frame is itself are not led astray."""
        for changes in ({"nice": True}, {"threads": (1,)}):
            words = ordered({"LD_PRELOAD": "x"}, **changes)
            self.assertEqual(exported(words), {"PATH": STANDARD_PATH})

    def test_names_that_take_the_env_way(self) -> None:
        """What the linker or the waiting shell would act on, or drop, is set by ``env``."""
        for name in ("LD_PRELOAD", "LD_x", "GLIBC_TUNABLES", "MALLOC_CHECK_", "IFS", "PWD", "ENV"):
            self.assertIn(f"{name}=x", command(ordered({name: "x"})))
        for name in ("a b", "a-b", "é", "1A", "BASH_FUNC_f%%", "a\n", "-i", "--chdir"):
            self.assertIn(f"{name}=x", command(ordered({name: "x"})))

    def test_names_of_bash(self) -> None:
        """The same holds for a host whose ``sh`` is bash."""
        for name in ("SHELLOPTS", "BASHOPTS", "BASH_ENV", "POSIXLY_CORRECT", "UID", "EUID"):
            self.assertIn(f"{name}=x", command(ordered({name: "x"})))

    def test_plain_names(self) -> None:
        """Common names don't cost a link more."""
        names = ("A", "_a1", "CUE_THREADS", "USER", "HOME", "OLD", "shot", "A" * 500)
        words = ordered(dict.fromkeys(names, "$(reboot) '\"\n\\"))
        self.assertEqual(command(words), ["/bin/bash", "/tmp/f.sh"])

    def test_no_environment(self) -> None:
        """No environment at all is one, too."""
        self.assertNotIn("export", ordered({}))


class RunTests(SynchronousTestCase):
    """L{supervisor} and L{orders} together, in real shells."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()

    def run_orders(
        self, script_text: str, environment: Mapping[str, str], **changes: Any
    ) -> tuple[bytes, bytes]:
        """Carry out; what the chain said, and what the frame wrote."""
        path, output = self.folder / "f.sh", self.folder / "out"
        path.write_text(script_text)
        output.unlink(missing_ok=True)
        text = orders(around(**changes), str(path), environment)(str(output))
        ended = subprocess.run(
            supervisor(""),
            input=text,
            env={},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return ended.stdout, output.read_bytes() if output.exists() else b""

    def run_as_nobody(self, script: str, environment: Mapping[str, str]) -> tuple[bytes, bytes]:
        """The same as a user who could not read what lies in a folder of the tests."""
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            self.folder = Path(folder)
            nobody = Identity(65534, 65534, ())
            return self.run_orders(script, environment, identity=nobody, folder="/")

    def test_account(self) -> None:
        """The chain tells of its birth, its start and its end; the output goes elsewhere."""
        said, written = self.run_orders("echo out; echo err >&2; exit 3\n", {"A": "1"})
        self.assertRegex(said, rb"\Aborn \d+\nup\nexit 3\n\Z")
        self.assertEqual(written, b"out\nerr\n")

    def test_no_orders(self) -> None:
        """Nothing is run without orders, and the account doesn't say that anything was."""
        ended = subprocess.run(supervisor(""), input=b"", stdout=subprocess.PIPE, check=False)
        self.assertRegex(ended.stdout, rb"\Aborn \d+\n\Z")

    def test_groups(self) -> None:
        """A supervisor moves to its group and to those beside it, of which some may be gone."""
        folders = [self.folder / name for name in ("own", "gone", "beside")]
        for folder in (folders[0], folders[2]):
            folder.mkdir()
        own, *beside = map(str, folders)
        ended = subprocess.run(
            supervisor(own, beside),
            input=b"",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        self.assertRegex(ended.stdout, rb"\Aborn \d+\n\Z")
        for folder in (folders[0], folders[2]):
            self.assertEqual((folder / "cgroup.procs").read_text(), "0\n")

    def test_one_after_the_other(self) -> None:
        """A supervisor carries out orders as they come, each in surroundings of its own."""
        script_path, output = self.folder / "f.sh", self.folder / "out"
        script_path.write_text('echo "$X-$Y $(umask) $PWD"; exit 5\n')
        text = b"".join(
            orders(around(**changes), str(script_path), environment)(str(output))
            for changes, environment in (
                ({"umask": 0o077}, {"X": "1"}),
                ({"folder": "/usr", "umask": 0o022}, {"Y": "2"}),
            )
        )
        ended = subprocess.run(
            supervisor(""), input=text, env={}, stdout=subprocess.PIPE, check=False
        )
        self.assertRegex(ended.stdout, rb"\Aborn \d+\nup\nexit 5\nup\nexit 5\n\Z")
        self.assertEqual(output.read_bytes(), b"1- 0077 /tmp\n-2 0022 /usr\n")

    def test_ends_told(self) -> None:
        """Ends are told on a pipe, which nothing of the frame has; who doesn't listen is fine."""
        path = self.folder / "f.sh"
        path.write_text("ls -l /proc/self/fd; exit 6\n")
        text = orders(around(), str(path), {})(str(self.folder / "out"))
        hearing, telling = os.pipe()
        handed_on = f'exec "$@" {ENDS}>&{telling} {telling}>&-'
        command = ["/bin/bash", "-c", handed_on, "bash", *supervisor("")]
        subprocess.run(command, input=text, pass_fds=[telling], check=False)
        os.close(telling)
        self.assertRegex(os.read(hearing, 99), rb"\A(\d+) 6\n\1\n\Z")
        os.close(hearing)
        self.assertNotIn("pipe:", (self.folder / "out").read_text())

    def test_no_shell(self) -> None:
        """A shell that isn't there is said so, and nothing is up."""
        said, _ = self.run_orders("", {}, shell="/no/shell")
        self.assertIn(b"/no/shell can't be executed\nexit 126\n", said)
        self.assertNotIn(b"up", said)

    def test_no_folder(self) -> None:
        """Neither where the folder is missing."""
        said, _ = self.run_orders("", {}, folder="/no/folder")
        self.assertIn(b"/no/folder", said)
        self.assertNotIn(b"up", said)

    def test_full_disk(self) -> None:
        """A frame whose start can't be noted is not started, pinned or not: nobody would know."""
        path, output = self.folder / "f.sh", self.folder / "out"
        path.write_text("echo ran\n")
        for threads in ((), (0,)):
            text = orders(around(threads=threads), str(path), {})(str(output))
            with open("/dev/full", "wb") as full:
                subprocess.run(
                    supervisor(""), input=text, env={}, stdout=full, stderr=full, check=False
                )
            self.assertEqual(output.read_bytes(), b"")

    def test_descriptors(self) -> None:
        """The frame may open as many files as it is given, and has none of the chain's."""
        _, written = self.run_orders("ulimit -Sn; ls /proc/self/fd", {}, descriptors=123)
        self.assertEqual(written, b"123\n0\n1\n2\n3\n")  # 3: for the listing

    @needs_root
    @settings(max_examples=30, deadline=None)
    @given(st.dictionaries(NAMES, TEXTS, max_size=4))
    def test_any_text_as_user(self, environment: dict[str, str]) -> None:
        """Every byte of the environment comes through to a user's frame as well."""
        said, written = self.run_as_nobody("exec /usr/bin/env -0\n", environment)
        pairs = (line.partition("=") for line in os.fsdecode(written).split("\0") if line)
        found = {name: value for name, _, value in pairs if name.startswith("X")}
        self.assertEqual(found, environment)
        self.assertRegex(said, rb"\Aborn \d+\nup\nexit 0\n\Z")

    @needs_root
    def test_chain_is_out_of_reach(self) -> None:
        """A user's frame has nothing of the chain's open, and is nobody else."""
        _, written = self.run_as_nobody("ls /proc/self/fd; id -u", {"A": "1"})
        self.assertEqual(written, b"0\n1\n2\n3\n65534\n")  # 3: for the listing

    @settings(max_examples=60, deadline=None)
    @given(st.dictionaries(NAMES, TEXTS, max_size=4), TEXTS)
    def test_any_text(self, environment: dict[str, str], name: str) -> None:
        """Every byte of the environment and of the folder comes through, and none is code."""
        folder = self.folder / f"x{name.replace('/', '')}"
        folder.mkdir(exist_ok=True)
        _, written = self.run_orders(
            "pwd; /usr/bin/env -0\n", environment, folder=str(folder), shell="/bin/bash"
        )
        where, _, listed = written.partition(os.fsencode(folder) + b"\n")
        self.assertEqual(where, b"")
        pairs = (line.partition("=") for line in os.fsdecode(listed).split("\0") if line)
        found = {name: value for name, _, value in pairs if name.startswith("X")}
        self.assertEqual(found, environment)


class EnvironmentTests(SynchronousTestCase):
    """That C{env} sets what it is told to set."""

    def through(self, environment: dict[str, str]) -> dict[str, str]:
        """What a program behind the chain's C{env} finds."""
        arguments = command(ordered(environment | {"a-b": "env way"}))
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
