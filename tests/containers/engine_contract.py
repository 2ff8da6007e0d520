"""What engines do, as far as frames depend on it: the real one and the one in memory pass this."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rqd.config.settings import DockerSettings
from rqd.containers.inside import Files, Order, body
from rqd.containers.interface import AGENT, Accounts, EngineAway, EngineRefused, IEngine
from rqd.frame.users import Identity
from rqd.system.identity import identity
from rqd.system.reservations import Reservation
from tests.report.facts import frame_spec

#: Commands of containers: one that ends so, and one that doesn't end.
STATUS = 7
ENDS, LIVES = f"exit {STATUS}", "sleep 900"


class EngineContract:
    """Tests for a ``SynchronousTestCase`` that sets these up."""

    engine: IEngine
    away: IEngine
    image: str
    """The name of an image that is there, and has root in its user database."""
    far: str
    """One that nobody has."""
    folder: Path
    agent = "openrqd-contract"

    assertEqual: Any
    assertIn: Any
    assertIsNone: Any
    assertRaises: Any
    assertTrue: Any
    addCleanup: Any

    def will(self, command: str) -> None:
        """Tell an engine that runs nothing what is the command of containers that it starts."""

    def make(self, name: str, command: str = ENDS, **changes: Any) -> str:
        """Make a container, which goes after the test; its name."""
        self.will(command)
        paths = {kind: self.folder / f"{name}.{kind}" for kind in Files._fields}
        texts = {
            "permit": "go\n",
            "command": f"{command}\n",
            "passwd": "a:x:1000:1000::/:/bin/sh\n",
        }
        for kind, path in paths.items():
            path.write_text(texts.get(kind, ""))
            path.chmod(0o666)
        order = Order(
            called=name,
            spec=frame_spec(),
            reservation=Reservation(100),
            identity=Identity(1000, 1000, ()),
            image=self.engine.image_id(self.image) or "",
            labels={AGENT: self.agent},
            environment={},
            files=Files(**{kind: str(path) for kind, path in paths.items()}),
            folder="/",
            folders=(),
            umask=0o022,
            output="/.openrqd/output",
        )
        self.addCleanup(self.engine.remove, name)
        self.engine.create(name, body(order, DockerSettings(), ()) | changes)
        return name

    def chain(self, name: str) -> str:
        return (self.folder / f"{name}.chain").read_text()

    def over(self, name: str) -> None:
        """Look until it has ended; the number of looks is only a limit for failures."""
        for _ in range(100_000):
            found = self.engine.look(name)
            if found is None or not found.running:
                return
        raise AssertionError(f"{name} does not end")

    # -- the tests -------------------------------------------------------------------------------

    def test_version(self) -> None:
        """It says who it is."""
        self.assertTrue(self.engine.version())

    def test_away(self) -> None:
        """One that isn't there is told to be away, whatever is asked."""
        for ask in (
            self.away.version,
            lambda: self.away.image_id(self.image),
            lambda: self.away.pull(self.far, lambda _: None),
            lambda: self.away.accounts(self.image, "away", {}),
            lambda: self.away.create("away", {}),
            lambda: self.away.start("away"),
            lambda: self.away.look("away"),
            lambda: self.away.ours("away"),
            lambda: self.away.remove("away"),
        ):
            self.assertRaises(EngineAway, ask)

    def test_images(self) -> None:
        """An image has an id, which is a name of it as well; one that isn't here has none."""
        found = self.engine.image_id(self.image)
        self.assertEqual(self.engine.image_id(str(found)), found)
        self.assertIsNone(self.engine.image_id(self.far))

    def test_pull(self) -> None:
        """What can't be fetched is refused, with a sentence."""
        caught = self.assertRaises(EngineRefused, self.engine.pull, self.far, lambda _: None)
        self.assertTrue(str(caught))

    def test_accounts(self) -> None:
        """The user database of an image is read from a container that doesn't stay."""
        labels = {AGENT: self.agent}
        found = self.engine.accounts(str(self.engine.image_id(self.image)), "looks", labels)
        self.assertEqual(type(found), Accounts)
        self.assertTrue(found.passwd.startswith(b"root:"))
        self.assertIsNone(self.engine.look("looks"))

    def test_accounts_of_nothing(self) -> None:
        """An image that is gone has no users."""
        self.assertRaises(EngineRefused, self.engine.accounts, self.far, "looks", {})

    def test_made(self) -> None:
        """What is made does not run yet."""
        found = self.engine.look(self.make("made"))
        assert found is not None
        self.assertEqual((found.running, found.pid, found.oom_killed), (False, 0, False))
        self.assertEqual(self.chain("made"), "")

    def test_made_twice(self) -> None:
        """A name is one container's."""
        self.make("twice")
        self.assertRaises(EngineRefused, self.make, "twice")

    def test_made_of_nothing(self) -> None:
        """Nor is one made of an image that isn't here."""
        self.assertRaises(EngineRefused, self.make, "nothing", Image=self.far)

    def test_mount(self) -> None:
        """A mount whose source is missing is refused at the latest when it starts."""
        source = str(self.folder / "nowhere")
        mount = {"Type": "bind", "Source": source, "Target": "/a"}
        with self.assertRaises(EngineRefused) as caught:
            name = self.make("mount", HostConfig={"Mounts": [mount], "NetworkMode": "host"})
            self.engine.start(name)
        self.assertIn(source, str(caught.exception))

    def test_ends(self) -> None:
        """What has ended is told with its status; its chain file has the whole story."""
        name = self.make("ends")
        self.engine.start(name)
        self.over(name)
        found = self.engine.look(name)
        assert found is not None
        self.assertEqual((found.running, found.pid, found.exit_code), (False, 0, STATUS))
        first, second, *_, last = self.chain(name).splitlines()
        self.assertEqual((first.split()[0], second, last), ("born", "up", f"exit {STATUS}"))

    def test_without_permit(self) -> None:
        """What has lost its permit is born, and ends before its command."""
        name = self.make("late")
        os.truncate(self.folder / "late.permit", 0)
        self.engine.start(name)
        self.over(name)
        (line,) = self.chain(name).splitlines()
        self.assertTrue(line.startswith("born "))
        found = self.engine.look(name)
        assert found is not None
        self.assertEqual(found.exit_code, 125)

    def test_runs(self) -> None:
        """What runs is told with a process of this host; it is removed at any time, at once."""
        name = self.make("runs", LIVES)
        self.engine.start(name)
        found = self.engine.look(name)
        assert found is not None
        self.assertTrue(found.running)
        self.assertTrue(identity(found.pid))
        self.engine.remove(name)
        self.assertIsNone(self.engine.look(name))

    def test_unknown(self) -> None:
        """Of a container that there is none of nothing is known; it needn't be removed."""
        self.assertIsNone(self.engine.look("unknown"))
        self.assertRaises(EngineRefused, self.engine.start, "unknown")
        self.engine.remove("unknown")

    def test_ours(self) -> None:
        """Containers are found by the label of their agent, whether they run or not."""
        self.engine.start(self.make("one", LIVES))
        self.engine.start(self.make("two"))
        self.make("three")
        self.make("other", Labels={AGENT: "openrqd-other"})
        self.assertEqual(sorted(self.engine.ours(self.agent)), ["one", "three", "two"])
        self.assertEqual(self.engine.ours("openrqd-nobody"), [])
