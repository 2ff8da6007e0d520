"""Which frames a host takes, as it stands."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.admission import refuse_by
from rqd.refusals import Refused, Unavailable, WrongState
from rqd.system.condition import DOWN, REBOOT_WHEN_IDLE, REBOOTING, HostCondition, IdleAction
from tests.report.facts import frame_spec


class AdmissionTests(SynchronousTestCase):
    """``refuse_by``."""

    def refused(self, refusal: type[Refused], condition: HostCondition) -> str:
        """Both kinds of frames are refused; why."""
        problem = self.assertRaises(refusal, refuse_by, condition, frame_spec())
        self.assertRaises(refusal, refuse_by, condition, frame_spec(ignore_nimby=True))
        return problem.detail

    def test_up(self) -> None:
        """A host that is up and nobody's takes frames, also one that watches for its user."""
        refuse_by(HostCondition(), frame_spec())
        refuse_by(HostCondition(nimby_enabled=True), frame_spec())

    def test_hardware_state(self) -> None:
        """A host that isn't up takes none, and says what it is."""
        for state in (DOWN, REBOOTING, REBOOT_WHEN_IDLE):
            self.assertIn(state, self.refused(WrongState, HostCondition(state=state)))

    def test_waiting_for_idle(self) -> None:
        """Neither does one that waits until it is idle: it never would be."""
        for action in IdleAction:
            condition = HostCondition(waiting_for=action)
            self.assertIn(action.value, self.refused(WrongState, condition))

    def test_nimby(self) -> None:
        """A host that its user has takes only frames that ignore that."""
        locked = HostCondition(nimby_enabled=True, nimby_locked=True)
        problem = self.assertRaises(WrongState, refuse_by, locked, frame_spec())
        self.assertIn("NIMBY", problem.detail)
        refuse_by(locked, frame_spec(ignore_nimby=True))

    def test_stopping(self) -> None:
        """An agent that is about to end is no state of the host: another may be there soon."""
        condition = HostCondition(state=DOWN, stopping="going home")
        self.assertEqual(self.refused(Unavailable, condition), "going home")
