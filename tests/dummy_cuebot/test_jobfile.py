"""Reading job files."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from dummy_cuebot.errors import Problem
from dummy_cuebot.job import Expectation
from dummy_cuebot.jobfile import load, parse

SMALLEST = """
job: j
log_root: /logs
layers:
  - {name: a, command: "true"}
"""


class GoodFiles(SynchronousTestCase):
    def test_defaults(self) -> None:
        """A layer needs a name and a command; the rest has believable defaults."""
        (layer,) = parse(SMALLEST, {}).layers
        self.assertEqual(
            (list(layer.numbers), layer.cores, layer.memory, layer.retries, layer.kill_after),
            ([1], 100, 262144, 0, None),
        )
        self.assertEqual(layer.expect, Expectation(0, 0, 0))

    def test_chunks(self) -> None:
        """A chunked range gives a frame for each chunk, named by its first number."""
        text = SMALLEST.replace("name: a", "name: a, range: 1-72, chunk: 18")
        self.assertEqual(list(parse(text, {}).layers[0].numbers), [1, 19, 37, 55])

    def test_variables_of_the_command_line_win(self) -> None:
        """--set goes over the file's own variables; a frame's names are left for later."""
        text = SMALLEST.replace('"true"', '"{x} {y} {frame} ${HOME}"') + "variables: {x: 1, y: 2}"
        self.assertEqual(parse(text, {"y": "3"}).layers[0].command, "1 3 {frame} ${HOME}")

    def test_a_signal_leaves_the_status_open(self) -> None:
        """A layer that expects a signal takes any exit status beside it."""
        text = SMALLEST.replace("name: a", "name: a, expect: {exit_signal: 15}")
        self.assertEqual(parse(text, {}).layers[0].expect, Expectation(None, 15, 0))

    def test_the_sandbox(self) -> None:
        """The job of the demo is a good file, and needs no more than its documented variables."""
        path = Path(__file__).parents[2] / "sandbox" / "production.yaml"
        job = load(str(path), {"work": "/w", "ffmpeg": "/f"})
        frames = {layer.name: len(layer.numbers) for layer in job.layers}
        self.assertEqual(frames["render"], 4)


class BadFiles(SynchronousTestCase):
    def problems(self, text: str) -> tuple[str, ...]:
        return self.assertRaises(Problem, parse, text, {}).sentences

    def test_all_mistakes_at_once(self) -> None:
        """Every mistake is told with its place, and with the nearest key where one is unknown."""
        told = self.problems("""
job: 7
log_root: "{work}/logs"
uid: 0
layers:
  - {name: a, command: "{nobody} {frame}", cors: 2, cores: none, range: 9-1}
  - {name: a, command: "x", after: [b, c], retries: 1.5, threadable: maybe}
  - {name: b, command: "x", expect: {exit_satus: 3}, kill_after_seconds: -1, memory_mib: true}
  - nothing
""")
        for expected in (
            "job: expected text, got 7",
            "log_root: nothing sets {work}: add it to variables, or use --set work=…",
            "uid: expected a number from 1 up, got 0",
            "layers[0].command: nothing sets {nobody}: add it to variables, or use --set nobody=…",
            "layers[0].cors: unknown key, did you mean cores?",
            "layers[0].cores: expected a number from 0.01 up, got 'none'",
            "layers[0].range: expected FIRST-LAST or one number, got '9-1'",
            "layers[1].name: a second layer 'a'",
            "layers[1].after: layer 'b' stands below",
            "layers[1].after: layer 'c' is unknown",
            "layers[1].retries: expected a whole number, got 1.5",
            "layers[1].threadable: expected true or false, got 'maybe'",
            "layers[2].expect.exit_satus: unknown key, did you mean exit_status?",
            "layers[2].kill_after_seconds: expected a number from 0 up, got -1",
            "layers[2].memory_mib: expected a number from 1 up, got True",
            "layers[3]: expected a mapping, got 'nothing'",
        ):
            self.assertIn(expected, told)

    def test_no_layers(self) -> None:
        """A job without layers is a mistake, not a job that succeeds at once."""
        self.assertIn("layers: expected a list of layers", self.problems("{job: j, log_root: /l}"))

    def test_not_yaml(self) -> None:
        """Text that isn't YAML is told on one line."""
        (sentence,) = self.problems("a: [")
        self.assertTrue(sentence.startswith("not YAML: "), sentence)
        self.assertNotIn("\n", sentence)

    def test_nothing(self) -> None:
        """An empty file isn't a job."""
        self.assertIn("the file: expected a mapping, got None", self.problems(""))

    def test_no_such_file(self) -> None:
        """A file that can't be read is a sentence with its path."""
        problem = self.assertRaises(Problem, load, "/nonexistent/job.yaml", {})
        self.assertEqual(
            problem.sentences, ("can't read /nonexistent/job.yaml: No such file or directory",)
        )
