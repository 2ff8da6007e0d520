"""Made-up hosts: a folder that looks like ``/proc``, and texts that look like ``cpuinfo``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rqd.system.procstat import PAGE_KIB, TICKS_PER_SECOND

BOOT_TIME = 1_700_000_000


class FakeProc:
    """A ``/proc`` tree that a test fills as it likes."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._path = Path(root)
        self._path.mkdir(parents=True)
        self.write("stat", f"cpu  1 2 3 4\nintr 99 1 2\nctxt 5\nbtime {BOOT_TIME}\nprocesses 7\n")

    def write(self, name: str, text: str | bytes) -> str:
        """Write one file and return its path."""
        path = self._path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    def remove(self, name: str) -> None:
        """Remove one file."""
        (self._path / name).unlink()

    def process(
        self,
        pid: int,
        *,
        session: int = 1,
        name: str | bytes = "render",
        state: str = "S",
        cmdline: bytes = b"render\0-frame\x001\0",
        start_ticks: int = 1000,
        cpu: float = 0.0,
        reaped: float = 0.0,
        threads: int = 1,
        rss: int = 4096,
        vsize: int = 8192,
        pss: int | None = 2048,
        swap: int | None = 0,
        start_stack: int = 0,
    ) -> None:
        """Add or change a process. Times in seconds, sizes in KiB; None leaves a number out."""
        comm = name if isinstance(name, bytes) else name.encode()
        fields: list[object] = [0] * 49
        fields[0:4] = [1, pid, session, 0]
        fields[10] = round(cpu * TICKS_PER_SECOND)
        fields[12] = round(reaped * TICKS_PER_SECOND)
        fields[16] = threads
        fields[18:21] = [start_ticks, vsize * 1024, rss // PAGE_KIB]
        fields[24] = start_stack
        numbers = " ".join(map(str, fields))
        self.write(
            f"{pid}/stat", b"%d (%s) %s %s\n" % (pid, comm, state.encode(), numbers.encode())
        )
        self.write(f"{pid}/cmdline", cmdline)
        vm_swap = "" if swap is None else f"VmSwap:\t{swap:8d} kB\n"
        self.write(f"{pid}/status", f"Name:\tx\nVmRSS:\t{rss} kB\n{vm_swap}Threads:\t{threads}\n")
        if pss is not None:
            self.set_pss(pid, pss)

    def set_pss(self, pid: int, pss: int) -> None:
        """What ``smaps_rollup`` says from now on."""
        self.write(
            f"{pid}/smaps_rollup",
            f"00400000-7fff0000 ---p 00000000 00:00 0   [rollup]\nRss:  9 kB\nPss:  {pss} kB\n"
            "Pss_Anon:  1 kB\nSwapPss:  0 kB\n",
        )


def processor(number: int, **fields: object) -> str:
    """One block of ``cpuinfo``; ``physical_id=0`` becomes ``physical id : 0``."""
    lines = [f"processor\t: {number}", "model name\t: Imaginary CPU: the 2nd"]
    lines += [f"{name.replace('_', ' ')}\t: {value}" for name, value in fields.items()]
    return "\n".join(lines) + "\n\n"


def cpuinfo(sockets: Iterable[Iterable[int]]) -> str:
    """``cpuinfo`` of sockets, each given as the thread counts of its cores.

    Numbered as Linux does on x86: first threads of all cores first, second threads after.
    """
    layout = [list(cores) for cores in sockets]
    places = [
        (turn, socket, core)
        for turn in range(max((max(cores) for cores in layout), default=0))
        for socket, cores in enumerate(layout)
        for core, threads in enumerate(cores)
        if turn < threads
    ]
    return "".join(
        processor(
            number,
            physical_id=socket,
            siblings=sum(layout[socket]),
            core_id=core,
            cpu_cores=len(layout[socket]),
        )
        for number, (_, socket, core) in enumerate(places)
    )
