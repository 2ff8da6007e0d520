"""A test frame as a request: the simplest thing that an agent runs. Pure."""

from __future__ import annotations

import getpass
import os
import time
from argparse import ArgumentTypeError
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dummy_cuebot.errors import Problem
from dummy_cuebot.ids import new_id
from rqd.proto import rqd_pb2

JOB_NAME = "test_job"
FRAME_NAME = "test_frame"
LOG_DIR = "/tmp/rqd"


@dataclass(frozen=True, slots=True)
class User:
    """Whose frame it is. A uid of None isn't sent: the agent takes its default one."""

    name: str
    uid: int | None = None
    gid: int | None = None


def somebody() -> User:
    return User("test_user")


def caller() -> User:
    """The user of this process. Root is refused here: no agent runs a frame as uid 0."""
    if os.getuid() == 0:
        raise Problem("--run-as-user as root: an agent never runs a frame as uid 0")
    return User(getpass.getuser(), os.getuid(), os.getgid())


def environment(text: str) -> dict[str, str]:
    """``A=B,C=D`` as a mapping. A value may hold ``=``, but no comma."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise ArgumentTypeError(f"{name + equals!r} in {text!r} is not NAME=VALUE")
    return {name: value for name, _, value in pairs}


def sample_frame(command: str, user: User, variables: Mapping[str, str], cores: int) -> Any:
    """A RunFrame with ids of its own; ``cores`` in points."""
    frame = rqd_pb2.RunFrame(
        resource_id=new_id(),
        job_id=new_id(),
        job_name=JOB_NAME,
        frame_id=new_id(),
        frame_name=FRAME_NAME,
        layer_id=new_id(),
        command=command,
        user_name=user.name,
        log_dir=LOG_DIR,
        show="test_show",
        shot="test_shot",
        start_time=int(time.time() * 1000),
        num_cores=cores,
        environment=variables,
    )
    if user.uid is not None:
        frame.uid = user.uid
    if user.gid is not None:
        frame.gid = user.gid
    return frame
