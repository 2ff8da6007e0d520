"""Settings printed as YAML."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.config import load
from rqd.config.rendering import render
from tests.config.texts import loaded, write

_EVERYTHING = """
logging: {level: debug, json: true, path: "/var/$$log/x y#z.log"}
grpc: {rqd_interface: "::1", cuebot_endpoints: ["[::1]:1", b], connection_expires_after: 1h30m,
       backoff_delay_min: 0.00000012, backoff_jitter_percentage: 12.5}
machine:
  facility: "yes"
  custom_tags: ["1.10", "null", "a: b # c", "🐰"]
  nimby_display_xauthority_path: "/home/{username}/.Xauthority"
  override_real_values: {cores: 4, memory_size: 1536, workstation_mode: false, os: "Rocky, 9"}
runner:
  docker_images: {"on": "a:b", "": "", "7": "x"}
  docker_mounts: [{target: /a, source: /b}, {target: "/c d", typ: tmpfs}]
  log_exit_status_rules: [{name: "a'b\\"c", regex: "\\\\s+\\t$", exit_status: 330}]
  log_max_size: 0
  kill_monitor_timeout: 0
"""


class RenderTests(SynchronousTestCase):
    """L{render}."""

    def test_origins(self) -> None:
        """Each line says where its value came from."""
        found = loaded(self, "grpc: {rqd_port: 1}", OPENRQD__MACHINE__FACILITY="lax")
        lines = render(found).splitlines()
        self.assertIn(f"  rqd_port: 1  # {found.path}", lines)
        self.assertIn("  facility: lax  # OPENRQD__MACHINE__FACILITY", lines)
        self.assertIn("  monitor_interval: 5s  # default", lines)
        self.assertIn("    hostname: null  # default", lines)
        self.assertEqual([line for line in lines if "# " not in line], [])

    def test_loads_again(self) -> None:
        """The print is a configuration file for the same settings, with nothing to warn of."""
        found = loaded(self, _EVERYTHING)
        again = loaded(self, render(found))
        self.assertEqual(again.settings, found.settings)
        self.assertEqual(again.warnings, ())

    def test_odd_file_name(self) -> None:
        """A file's name can't break out of its comment."""
        path = write(self, "grpc: {rqd_port: 1}", name="a\nrunner: {} #.yaml")
        found = load(path, {"HOME": "/"})
        self.assertEqual(loaded(self, render(found)).settings.grpc, found.settings.grpc)

    @given(st.text(), st.lists(st.text()), st.floats(min_value=0, max_value=1e6))
    @settings(deadline=None, max_examples=50)
    def test_any_values(self, text: str, tags: list[str], seconds: float) -> None:
        """Whatever values load, their print loads to the same."""
        import yaml

        from rqd.config import ConfigurationError

        tree = {
            "machine": {"facility": text, "custom_tags": tags, "temp_path": f"/{text}"},
            "runner": {"docker_images": {text: "x"}, "kill_monitor_timeout": seconds},
        }
        try:
            found = loaded(self, yaml.safe_dump(tree))
        except ConfigurationError:
            return
        self.assertEqual(loaded(self, render(found)).settings, found.settings)
