"""Waiting between attempts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.config.settings import GrpcSettings
from rqd.report.backoff import backoff


def settings(**changes: float) -> GrpcSettings:
    return GrpcSettings(**{"backoff_jitter_percentage": 0, **changes})


class BackoffTests(SynchronousTestCase):
    def test_growth(self) -> None:
        """The first wait is the configured minimum; each further one is longer, to a limit."""
        delay = backoff(settings(backoff_delay_min=0.01, backoff_delay_max=60), at_most=1.0)
        self.assertEqual(delay(1), 0.01)
        self.assertLess(delay(1), delay(2))
        self.assertEqual(delay(1000), 1.0)

    def test_configured_limit(self) -> None:
        """The configured maximum holds where it is the smaller one."""
        self.assertEqual(backoff(settings(backoff_delay_max=2), at_most=5)(1000), 2)

    def test_never_busy(self) -> None:
        """Even delays of zero leave time between attempts."""
        delay = backoff(settings(backoff_delay_min=0, backoff_delay_max=0), at_most=0)
        self.assertGreater(delay(1), 0)

    @given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0, 100))
    def test_jitter(self, failures: int, dice: float, percentage: float) -> None:
        """The jitter moves a delay by at most its percentage."""
        plain = backoff(settings(), at_most=5.0)(failures)
        jittery = settings(backoff_jitter_percentage=percentage)
        delay = backoff(jittery, at_most=5.0, dice=lambda: dice)(failures)
        self.assertLessEqual(abs(delay - plain), plain * percentage / 100 + 1e-9)
