"""The page on the plan language is true: its examples are what it says, and nothing is left out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from app.errors import StackVMError
from app.plan.check import CODES, check_text
from app.plan.expressions import FUNCTIONS
from app.plan.findings import Finding
from app.plan.instructions import READERS
from app.plan.schema import FORMS
from app.tools.arguments import bind_arguments
from app.tools.context import ToolContext
from app.tools.files import file_tools
from app.tools.registry import Registry
from app.vm.effects import CallNeeded, FanNeeded, FanOutcome, Outcome
from app.vm.interpreter import Interpreter
from app.vm.state import State, Transition

PAGE = Path(__file__).parents[2] / "docs" / "plan-language.md"
TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^(?:<!-- (?P<mark>.*?) -->\n)?```json\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"plan: (?P<kind>valid|P\d{3})(?:; answer: (?P<answer>.*)|; needs: model)?")


class Example(NamedTuple):
    mark: str
    text: str
    line: int

    @property
    def kind(self) -> str:
        return MARK.fullmatch(self.mark)["kind"]

    @property
    def answer(self) -> str | None:
        return MARK.fullmatch(self.mark)["answer"]


BLOCKS = [
    Example(match["mark"] or "", match["body"], TEXT.count("\n", 0, match.start()) + 1)
    for match in EXAMPLE.finditer(TEXT)
]
PLANS = [block for block in BLOCKS if block.mark != "folder"]


def name(example: Example) -> str:
    return f"line {example.line}: {example.mark}"


@pytest.fixture
def tools(tmp_path) -> Registry:
    (folder,) = (json.loads(block.text) for block in BLOCKS if block.mark == "folder")
    for path, text in folder.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    registry = Registry()
    for tool in file_tools(tmp_path):
        registry.add(tool)
    return registry


def check(example: Example, tools: Registry) -> list[Finding]:
    return check_text(example.text, tools.catalog())[1]


def test_every_block_is_marked():
    assert TEXT.count("```json") == len(BLOCKS)
    assert [block.line for block in PLANS if not MARK.fullmatch(block.mark)] == []


@pytest.mark.parametrize("example", [block for block in PLANS if block.kind == "valid"], ids=name)
def test_a_valid_example_has_no_finding(example, tools):
    assert check(example, tools) == []


@pytest.mark.parametrize("example", [block for block in PLANS if block.kind != "valid"], ids=name)
def test_a_broken_example_has_that_finding_and_no_other(example, tools):
    assert {finding.code for finding in check(example, tools)} == {example.kind}


@pytest.mark.parametrize("example", [block for block in PLANS if block.answer], ids=name)
def test_an_example_gives_the_answer_it_says(example, tools):
    assert run(example.text, tools) == json.loads(example.answer)


def run(text: str, tools: Registry):
    """The interpreter, with each call made on the spot."""
    interpreter = Interpreter(check_text(text, tools.catalog())[0])
    state = State(pc=interpreter.start)
    while state.status == "running":
        seq_no = state.pc
        step = interpreter.begin(state)
        if not isinstance(step, Transition):
            step = interpreter.finish(state, step, perform(step, tools))
        state.apply(step, seq_no, in_loop=seq_no in interpreter.loop_steps)
    assert state.status == "completed", state.error
    return state.variables["final_answer"]


def perform(effect: CallNeeded | FanNeeded, tools: Registry) -> Outcome | FanOutcome:
    if isinstance(effect, CallNeeded):
        return call(effect.tool_name, effect.inputs, tools)
    outcomes = [call(effect.tool_name, effect.inputs(item), tools) for item in range(effect.count)]
    errors = {item: outcome.error for item, outcome in enumerate(outcomes) if outcome.error}
    return FanOutcome([outcome.value for outcome in outcomes], errors)


def call(tool_name: str, inputs, tools: Registry) -> Outcome:
    tool = tools.get(tool_name)
    arguments = bind_arguments(tool, inputs)
    if tool.context_parameter:
        arguments[tool.context_parameter] = ToolContext()
    try:
        return Outcome(tool(**arguments))
    except (OSError, ValueError, StackVMError) as error:
        return Outcome(error=str(error))


def test_there_is_an_example_of_every_instruction_that_runs():
    shown = {step["type"] for block in PLANS if block.answer for step in steps_of(json.loads(block.text))}
    assert shown == set(READERS)


def steps_of(document):
    return document["steps"] if isinstance(document, dict) else document


@pytest.mark.parametrize("code", CODES)
def test_every_finding_is_in_the_table_and_has_an_example(code):
    assert f"| {code} |" in TEXT
    assert any(block.kind == code for block in PLANS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_is_in_the_table(function):
    assert re.search(rf"^\| .*`{function}\(", TEXT, re.MULTILINE)


def test_the_table_has_no_function_that_is_not_there():
    rows = re.findall(r"^\| ((?:`\w+\([^|]*\)`(?:, )?)+) \|", TEXT, re.MULTILINE)
    named = {function for row in rows for function in re.findall(r"`(\w+)\(", row)}
    assert named - {"list_files", "read_file", "search_text"} == set(FUNCTIONS)


@pytest.mark.parametrize("instruction", READERS)
def test_every_instruction_has_a_section(instruction):
    assert f"\n### {instruction}: " in TEXT


@pytest.mark.parametrize(
    "parameter", sorted({parameter for form in FORMS.values() for parameter in form.parameters})
)
def test_every_parameter_is_in_a_table(parameter):
    assert f"| `{parameter}` |" in TEXT
