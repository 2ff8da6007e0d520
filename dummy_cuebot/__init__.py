"""dummy-cuebot: a stand-in for the farm's scheduler, for development, tests, demos and benchmarks.

It speaks the same contract as a Cuebot, from the other side than ``rqd``: it receives reports
(``server``), calls agents (``client``), and can run a whole job (``dispatch``).
"""

from __future__ import annotations
