"""What may be asked for, and what is refused in which words."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.spec import MAX_COMMAND_BYTES, FrameSpec, parse
from rqd.proto import rqd_pb2
from rqd.refusals import InvalidRequest

GOOD: dict[str, Any] = {
    "resource_id": "r",
    "job_id": "j",
    "job_name": "show-shot-job",
    "frame_id": "f",
    "frame_name": "0001-layer",
    "layer_id": "l",
    "command": "render 'a b' && true",
    "user_name": "artist",
    "log_dir": "/logs",
    "show": "show",
    "shot": "shot",
    "num_cores": 150,
    "num_gpus": 1,
    "uid": 1001,
    "gid": 20,
    "ignore_nimby": True,
    "environment": {"A": "b"},
    "os": "linux",
    "soft_memory_limit": 1,
    "hard_memory_limit": 2,
    "loki_url": "http://loki",
}

#: Numbers 1000 and 1001: a varint (as enumerations are sent, too) and some text.
NEWER_FIELDS = b"\xc0\x3e\x63" + b"\xca\x3e\x0bof tomorrow"


def parsed(**changes: Any) -> FrameSpec:
    """The spec of a good request with some changes; None leaves a field unset."""
    fields = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return parse(rqd_pb2.RunFrame(**fields))


class ParseTests(SynchronousTestCase):
    """L{parse}."""

    def refused(self, sentence: str, **changes: Any) -> None:
        """The request is refused in these words."""
        refusal = self.assertRaises(InvalidRequest, parsed, **changes)
        self.assertIn(sentence, refusal.detail)

    def test_every_field(self) -> None:
        """A good request becomes a spec of the same facts."""
        spec = parsed()
        self.assertEqual({name: getattr(spec, name) for name in GOOD}, GOOD)

    def test_request_is_kept(self) -> None:
        """The request stays at hand as it came."""
        self.assertEqual(rqd_pb2.RunFrame.FromString(parsed().request), rqd_pb2.RunFrame(**GOOD))

    def test_no_user(self) -> None:
        """A request without uid and gid is fine; the uid is known to be missing."""
        spec = parsed(uid=None, gid=None)
        self.assertEqual((spec.uid, spec.gid), (None, 0))

    def test_empty_command(self) -> None:
        """There must be something to run."""
        for command in ("", " ", "\n\t "):
            self.refused("command is empty", command=command)

    def test_command_with_nul(self) -> None:
        """A NUL can't reach a shell."""
        self.refused("command holds a NUL byte", command="echo a\0b")

    def test_long_command(self) -> None:
        """A command of 10 MB runs; one without sense of measure is refused."""
        self.assertEqual(len(parsed(command="x" * 10_000_000).command), 10_000_000)
        self.refused("command is longer than 16 MiB", command="x" * (MAX_COMMAND_BYTES + 1))

    def test_length_in_bytes(self) -> None:
        """A command is measured as it is written."""
        self.refused("command is longer", command="é" * (MAX_COMMAND_BYTES // 2 + 1))

    def test_cores(self) -> None:
        """A frame needs a part of a core, and that is said with the unit."""
        for number in (0, -1, -100):
            self.refused(
                f"num_cores must be positive (in points, 100 a core), not {number}",
                num_cores=number,
            )

    def test_gpus(self) -> None:
        """GPUs can't be negative; none is fine."""
        self.refused("num_gpus can't be negative: -1", num_gpus=-1)
        self.assertEqual(parsed(num_gpus=0).num_gpus, 0)

    def test_uid(self) -> None:
        """Root is refused as what it is, also where it was asked for in so many words."""
        self.refused("uid must be positive, not 0: frames never run as root", uid=0)
        self.refused("uid must be positive, not -1", uid=-1)

    def test_gid(self) -> None:
        """A negative group is refused; 0 means that none was given."""
        self.refused("gid can't be negative: -5", gid=-5)
        self.assertEqual(parsed(gid=0).gid, 0)

    def test_frame_id(self) -> None:
        """A frame without an id could not be reported."""
        self.refused("frame_id is empty", frame_id="")

    def test_empty_names(self) -> None:
        """The log is named by job and frame."""
        self.refused("job_name is empty", job_name="")
        self.refused("frame_name is empty", frame_name="")

    def test_names_that_leave(self) -> None:
        """No name leads out of the log folder or breaks a line, and the refusal names the field."""
        for field in ("job_name", "frame_name"):
            for name in ("a/b", "/", "..", ".", "../../etc/x", "a\nb", "a\0b", "a\x7f", "\t"):
                self.refused(f"{field} {name!r} can't be part of a file name", **{field: name})

    def test_long_names(self) -> None:
        """What no file system takes as a name is refused at once, rotation included."""
        self.refused("too long for a file name", job_name="j" * 200, frame_name="f" * 60)
        self.refused("too long for a file name", job_name="é" * 125)
        self.assertEqual(
            len(f"{parsed(job_name='j' * 200, frame_name='f' * 44).name}.rqlog.15"), 254
        )

    def test_log_dir(self) -> None:
        """The log folder has to be absolute: the agent's own folder means nothing to a farm."""
        for folder in ("", "logs", "./logs", "~/logs", "/a\0b"):
            self.refused(f"log_dir must be an absolute path, not {folder!r}", log_dir=folder)

    def test_memory_limits(self) -> None:
        """No limit is 0; a negative one limits nothing either."""
        for limit in (0, -1, -(1 << 63)):
            spec = parsed(soft_memory_limit=limit, hard_memory_limit=limit)
            self.assertEqual((spec.soft_memory_limit, spec.hard_memory_limit), (0, 0))

    def test_texts(self) -> None:
        """What becomes a variable holds nothing that a variable can't; it may be missing."""
        for field in ("user_name", "show", "shot"):
            self.refused(f"{field} holds a NUL byte", **{field: "a\0b"})
            self.refused(f"{field} is longer than 64 KiB", **{field: "x" * 70_000})
            self.assertEqual(getattr(parsed(**{field: None}), field), "")

    def test_unknown_fields(self) -> None:
        """What a newer scheduler says beside is kept with the request, and changes nothing."""
        newer = rqd_pb2.RunFrame(**GOOD).SerializeToString() + NEWER_FIELDS
        spec = parse(rqd_pb2.RunFrame.FromString(newer))
        self.assertEqual(spec.name, parsed().name)
        self.assertIn(b"of tomorrow", spec.request)

    def test_environment_names(self) -> None:
        """What ``execve`` can't pass on is refused by name."""
        for name in ("", "A=B", "A\0B"):
            self.refused(f"environment variable {name!r} can't be set", environment={name: "1"})
        self.refused("environment variable 'A' can't be set", environment={"A": "1\0"})

    def test_odd_environment(self) -> None:
        """Everything else is a name: the kernel doesn't mind, so neither do we."""
        odd = {"a b": "", "-x": "=", "é": "\n", "LD_PRELOAD": "x", "BASH_FUNC_f%%": "() { :; }"}
        self.assertEqual(parsed(environment=odd).environment, odd)

    def test_large_environment(self) -> None:
        """The kernel's limits are told before it would refuse the start."""
        at_most = (128 << 10) - len("A=") - 1
        self.assertEqual(len(parsed(environment={"A": "x" * at_most}).environment["A"]), at_most)
        self.refused(
            "environment variable 'A' is longer than 128 KiB",
            environment={"A": "x" * (at_most + 1)},
        )
        many = {f"A{i}": "x" * 100_000 for i in range(11)}
        self.refused("the environment is larger than 1 MiB", environment=many)

    @given(st.text(min_size=1, max_size=50))
    def test_odd_ids(self, odd: str) -> None:
        """An id is any text: nothing is asked of it but to be there."""
        spec = parsed(frame_id=odd, resource_id=odd, job_id=odd, layer_id=odd)
        self.assertEqual(spec.frame_id, odd)

    @given(st.text(min_size=1, max_size=50), st.text(min_size=1, max_size=50))
    def test_any_name(self, job: str, frame: str) -> None:
        """Whatever the names: refused in a sentence, or one plain file in the log folder."""
        try:
            name = f"{parsed(job_name=job, frame_name=frame).name}.rqlog"
        except InvalidRequest as refusal:
            self.assertIn("_name", refusal.detail)
        else:
            self.assertNotIn("/", name)
            self.assertTrue(name.strip("."))
            self.assertLessEqual(len(name.encode()), 255)


class ThreadableTests(SynchronousTestCase):
    """L{FrameSpec.threadable}."""

    def test_whole_cores(self) -> None:
        """Cores of its own are for who asks for them, and only in wholes."""
        asked = {"CUE_THREADABLE": "1"}
        self.assertTrue(parsed(num_cores=200, environment=asked).threadable)
        self.assertFalse(parsed(num_cores=250, environment=asked).threadable)
        self.assertFalse(parsed(num_cores=200, environment={"CUE_THREADABLE": "0"}).threadable)
        self.assertFalse(parsed(num_cores=200, environment={}).threadable)
