"""Reports look as a real Cuebot expects them."""

from __future__ import annotations

import os
import time

from google.protobuf.json_format import MessageToDict
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.exits import COULD_NOT_START, FrameEnd
from rqd.proto import host_pb2, report_pb2
from rqd.report import messages
from rqd.report.messages import FrameFacts
from rqd.report.retelling import Retelling
from rqd.system.condition import HostCondition, IdleAction
from rqd.system.gpus import GpuTotals
from rqd.system.reservations import CoreCounts
from rqd.system.usage import FrameUsage
from tests.report.facts import (
    frame_facts,
    frame_spec,
    host_sample,
    process_sample,
    usage,
)

SMALL = usage(process_sample())
HOST = {
    "attributes": {"SP_OS": "Linux", "hyperthreadingMultiplier": "1", "swapout": "0"},
    "boot_time": 1795318739,
    "cores_per_proc": 200,
    "facility": "local",
    "free_mcp": "78406368",
    "free_mem": "23756864",
    "load": 162,
    "name": "render042",
    "num_procs": 1,
    "tags": ["linux", "fast"],
    "total_mcp": "264212084",
    "total_mem": "24684092",
}
FRAME = {
    "children": {},
    "frame_id": "a6842560",
    "frame_name": "0001-hungry",
    "job_id": "6c17c1af",
    "job_name": "testing-sh010-artist_mem",
    "layer_id": "bf11c10d",
    "num_cores": 100,
    "resource_id": "7221a2b3",
    "start_time": "1795321785588",
}


def as_json(message: object) -> dict[str, object]:
    """The message as captures of real traffic show it: unset fields left out."""
    return MessageToDict(message, preserving_proto_field_name=True)


def host() -> report_pb2.RenderHost:
    return messages.render_host(host_sample(), HostCondition())


def set_time_zone(zone: str | None) -> None:
    if zone is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = zone
    time.tzset()


class HostTests(SynchronousTestCase):
    def test_startup(self) -> None:
        """A startup report has the host and where its cores are."""
        cores = messages.core_detail(CoreCounts(total=200, idle=200, locked=0, booked=0))
        self.assertEqual(
            as_json(messages.boot_report(host(), cores)),
            {"core_info": {"idle_cores": 200, "total_cores": 200}, "host": HOST},
        )

    def test_condition(self) -> None:
        """A host says that it waits for a reboot, or that its user is at work."""
        condition = HostCondition("REBOOT_WHEN_IDLE", nimby_enabled=True, nimby_locked=True)
        host = messages.render_host(host_sample(), condition)
        self.assertEqual(host.state, host_pb2.REBOOT_WHEN_IDLE)
        self.assertTrue(host.nimby_enabled and host.nimby_locked)

    def test_gpus(self) -> None:
        """A host's GPUs are told as a number and their memory."""
        host = messages.render_host(host_sample(), HostCondition(), GpuTotals(2, 4096, 1024))
        self.assertEqual(
            as_json(host), HOST | {"num_gpus": 2, "total_gpu_mem": "4096", "free_gpu_mem": "1024"}
        )

    def test_waiting(self) -> None:
        """A host says what it waits for idle to do, also where no hardware state has a word."""
        for action in IdleAction:
            host = messages.render_host(host_sample(), HostCondition(waiting_for=action))
            self.assertEqual(host.attributes["whenIdle"], action.value)
            self.assertEqual(host.attributes["SP_OS"], "Linux")

    def test_withheld(self) -> None:
        """A host says what it withholds for processes that can't be killed."""
        reason = "100 core points of job.frame, can't be killed: 7 (cat, D)"
        host = messages.render_host(host_sample(), HostCondition(withheld=reason))
        self.assertEqual(host.attributes["withheld"], reason)

    def test_locked_cores(self) -> None:
        """Locked and booked cores are told apart."""
        cores = messages.core_detail(CoreCounts(total=800, idle=100, locked=300, booked=400))
        self.assertEqual(
            as_json(cores),
            {"total_cores": 800, "idle_cores": 100, "locked_cores": 300, "booked_cores": 400},
        )

    def test_out_of_range(self) -> None:
        """Numbers too large for their fields are reported as the largest there are."""
        sample = host_sample(load=1 << 40, boot_time=1 << 33, free_mem=1 << 70)
        host = messages.render_host(sample, HostCondition())
        self.assertEqual((host.load, host.boot_time), (0x7FFFFFFF, 0x7FFFFFFF))
        self.assertEqual(host.free_mem, (1 << 63) - 1)

    def test_odd_text(self) -> None:
        """A name that is no Unicode doesn't lose the report."""
        name = os.fsdecode(b"render\xff042")
        sample = host_sample(name=name, tags=(name,), attributes={name: name})
        host = messages.render_host(sample, HostCondition())
        self.assertEqual(host.name, "render?042")
        self.assertEqual(report_pb2.RenderHost.FromString(host.SerializeToString()), host)

    def test_unicode(self) -> None:
        """Text beyond ASCII stays as it is."""
        host = messages.render_host(host_sample(facility="København"), HostCondition())
        self.assertEqual(host.facility, "København")


class FrameTests(SynchronousTestCase):
    def setUp(self) -> None:
        """Start times of processes are told in local time: make that a known one."""
        self.addCleanup(set_time_zone, os.environ.get("TZ"))
        set_time_zone("XYZ-2")

    def test_not_measured(self) -> None:
        """A frame that has not been measured yet is reported by its identity."""
        self.assertEqual(as_json(messages.running_frame(frame_facts())), FRAME)

    def test_measured(self) -> None:
        """A measured frame is reported with sizes in KiB, its last output, and its processes."""
        facts = frame_facts(usage=usage(process_sample()), last_output=1795321790.75)
        self.assertEqual(
            as_json(messages.running_frame(facts)),
            FRAME
            | {
                "attributes": {"pcpu": "1.5"},
                "children": {
                    "children": [
                        {
                            "cmdline": "/bin/sh script",
                            "start_time": "2026-11-22 06:29:45",
                            "stat": {
                                "name": "sh",
                                "pid": "7491",
                                "pss": "1100",
                                "rss": "1636",
                                "state": "S",
                                "vsize": "2592",
                            },
                            "statm": {"rss": "1636", "size": "2592"},
                        }
                    ]
                },
                "llu_time": "1795321790",
                "max_pss": "700001",
                "max_rss": "728200",
                "max_vsize": "735800",
                "pss": "700000",
                "rss": "728148",
                "used_swap_memory": "12",
                "vsize": "735760",
            },
        )

    def test_gpus(self) -> None:
        """A frame tells how many GPUs it has, and their memory that it uses, in KiB."""
        facts = frame_facts(
            spec=frame_spec(num_gpus=2), usage=FrameUsage(gpu=2048, max_gpu=4096, pcpu=1.0)
        )
        gpus = {"num_gpus": 2, "used_gpu_memory": "2048", "max_used_gpu_memory": "4096"}
        found = as_json(messages.running_frame(facts))
        self.assertEqual(found, FRAME | gpus | {"attributes": {"pcpu": "1.0"}})

    def test_odd_text(self) -> None:
        """A command line that is no Unicode doesn't lose the report."""
        odd = os.fsdecode(b"\xff\xfe")
        facts = frame_facts(
            spec=frame_spec(job_name=odd),
            usage=usage(process_sample(cmdline=odd, name="\ud800")),
            attributes={"odd": odd},
        )
        frame = messages.running_frame(facts)
        self.assertEqual(frame.children.children[0].cmdline, "??")
        self.assertEqual(frame.attributes["odd"], "??")

    def test_status(self) -> None:
        """A status report has the host, its frames and where its cores are."""
        cores = messages.core_detail(CoreCounts(total=200, idle=100, locked=0, booked=100))
        frames = Retelling().tell([frame_facts()])
        self.assertEqual(
            as_json(report_pb2.HostReport.FromString(messages.host_report(host(), frames, cores))),
            {
                "core_info": {"booked_cores": 100, "idle_cores": 100, "total_cores": 200},
                "frames": [FRAME],
                "host": HOST,
            },
        )

    def test_too_large(self) -> None:
        """A status too large for a gRPC server goes without the processes of the largest frames."""
        crowd = usage(*(process_sample(pid=pid) for pid in range(60_000)))
        frames = Retelling().tell(
            [frame_facts(), frame_facts(usage=crowd), frame_facts(usage=SMALL)]
        )
        cores = messages.core_detail(CoreCounts(0, 0, 0, 0))
        report = report_pb2.HostReport.FromString(messages.host_report(host(), frames, cores))
        self.assertLess(report.ByteSize(), 10_000)
        self.assertEqual(report.frames[1].rss, 728148)
        processes = [len(frame.children.children) for frame in report.frames]
        self.assertEqual(processes, [0, 0, 1])


def completion(end: FrameEnd, facts: FrameFacts | None = None) -> report_pb2.FrameCompleteReport:
    frame = messages.running_frame(facts or frame_facts())
    told = messages.completion(host().SerializeToString(), frame.SerializeToString(), end)
    return report_pb2.FrameCompleteReport.FromString(told)


class CompletionTests(SynchronousTestCase):
    def test_failed(self) -> None:
        """A completion has the exit status, whole seconds of run time, and no core counts."""
        end = FrameEnd(exit_status=3, exit_signal=0, ended_at=1795321805.0, run_time=20.9)
        self.assertEqual(
            as_json(completion(end)),
            {"exit_status": 3, "run_time": 20, "host": HOST, "frame": FRAME},
        )

    def test_signalled(self) -> None:
        """A signal is reported beside the exit status."""
        end = FrameEnd(exit_status=1, exit_signal=9, ended_at=0.0, run_time=0.2, reason="a kill")
        report = completion(end)
        self.assertEqual((report.exit_status, report.exit_signal, report.run_time), (1, 9, 0))
        self.assertNotIn("explanation", report.frame.attributes)

    def test_not_started(self) -> None:
        """A frame that could not be started is reported with the reason."""
        end = FrameEnd(COULD_NOT_START, 0, 0.0, 0.0, reason="the log folder is read-only")
        report = completion(end)
        self.assertEqual(report.exit_status, 256)
        self.assertEqual(report.frame.attributes["explanation"], "the log folder is read-only")

    def test_clock_set_back(self) -> None:
        """A run time is never negative."""
        end = FrameEnd(0, 0, 0.0, run_time=-5.0)
        self.assertEqual(completion(end).run_time, 0)

    def test_too_large(self) -> None:
        """A completion too large for a gRPC server goes without the frame's processes."""
        facts = frame_facts(usage=usage(*(process_sample(pid=pid) for pid in range(60_000))))
        report = completion(FrameEnd(0, 0, 0.0, 1.0), facts)
        self.assertLess(report.ByteSize(), 10_000)
