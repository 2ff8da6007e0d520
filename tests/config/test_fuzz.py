"""Anything at all in a configuration: settings come out, or one clear refusal."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.config import ConfigurationError, Loaded, load
from rqd.config.keys import leaves
from rqd.config.settings import Settings
from rqd.config.variables import variable_of
from tests.config.texts import write

_NAMES = [
    *sorted({part for path, _ in leaves(Settings) for part in path}),
    *("", "docker.mounts", "docker.images", "bind-propagation", "target", "source", "typ"),
    *("regex", "name", "exit_status", "use_session_id_for_proc_lineage"),
]
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.dates()
    | st.binary(max_size=5)
    | st.sampled_from(["5s", "2GB", "a:1,b", "$HOME/x", "~", "$NOPE", "(", "bind", "/a", "all"])
)
_KEYS = st.sampled_from(_NAMES) | st.text(max_size=8) | st.integers() | st.booleans()
_TREES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=20,
)


def _section(cls: type) -> st.SearchStrategy[dict[str, object]]:
    names = [path[0] for path, _ in leaves(cls)]
    return st.dictionaries(st.sampled_from(names), _TREES, max_size=6)


_CONFIGURATIONS = st.fixed_dictionaries(
    {},
    optional={
        name: _section(type(getattr(Settings(), name)))
        for name in ("logging", "grpc", "machine", "runner")
    },
)


class FuzzTests(SynchronousTestCase):
    """L{load}."""

    def check(self, content: bytes | str, environ: dict[str, str]) -> None:
        """Load it, and look at what came out."""
        path = write(self, "")
        with open(path, "wb") as stream:
            stream.write(content if isinstance(content, bytes) else content.encode())
        try:
            found = load(path, {"HOME": "/home/artist", **environ})
        except ConfigurationError as problem:
            self.assertTrue(problem.problems)
            lines = problem.problems + problem.warnings
        else:
            self.assertIsInstance(found, Loaded)
            lines = found.warnings
        for line in lines:
            self.assertEqual(line.splitlines(), [line])

    @given(_TREES | _CONFIGURATIONS)
    @settings(deadline=None, max_examples=150)
    def test_any_tree(self, tree: object) -> None:
        """Any tree that YAML can hold."""
        self.check(yaml.safe_dump(tree), {})

    @given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
    @settings(deadline=None, max_examples=100)
    def test_any_bytes(self, content: bytes) -> None:
        """Any bytes at all."""
        self.check(content, {})

    @given(
        st.dictionaries(
            st.sampled_from([variable_of(path) for path, _ in leaves(Settings)])
            | st.text(st.characters(blacklist_characters="\0="), max_size=12).map(
                lambda name: f"OPENRQD__{name}"
            ),
            st.text(st.characters(blacklist_characters="\0"), max_size=30)
            | _TREES.map(lambda tree: yaml.safe_dump(tree, default_flow_style=True)),
            max_size=6,
        )
    )
    @settings(deadline=None, max_examples=100)
    def test_any_variables(self, environ: dict[str, str]) -> None:
        """Any variables."""
        self.check("", environ)
