"""Random valid plans: blocks within blocks, each variable set before it is read and used for what it is.

Jumps name labels until the plan is numbered; a label is the step that comes next.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from benchmarks.faults.written import Step, Steps, assign, call, each, judged, jump, think, when

TARGETS: Final = ("target_seq", "jump_if_true", "jump_if_false")
_MAX_DEPTH: Final = 2
_WORDS: Final = ("stars", "maps", "sky", "Vega", "Sirius", "planets")


def random_plan(seed: int) -> Steps:
    """A plan of some 4 to 60 steps, the same for the same seed."""
    return _Writer(random.Random(seed)).plan()


class _Writer:
    """``known`` are the variables that are surely set, by kind: text, number (whole), texts, …."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.steps: list[Step] = []
        self.known: dict[str, list[str]] = {}
        self.names = 0
        self.labels = 0
        self.places: dict[int, int] = {}
        self.depth = 0

    def plan(self) -> Steps:
        self.add(assign(**{self.new("text"): self.word(), self.new("number"): self.chance.randrange(1, 9)}))
        self.blocks(self.chance.randrange(2, 7))
        self.answer()
        return self.numbered()

    # What the blocks are made of.

    def add(self, step: Step) -> None:
        if self.chance.random() < 0.15:
            step = {**step, "description": f"step about {self.word()}"}
        self.steps.append(step)

    def label(self) -> int:
        self.labels += 1
        return -self.labels

    def put(self, label: int) -> None:
        """The label is the step that comes next."""
        self.places[label] = len(self.steps)

    def name(self) -> str:
        self.names += 1
        return f"{self.chance.choice(['found', 'page', 'value', 'Part', 'x'])}_{self.names}"

    def new(self, kind: str) -> str:
        name = self.name()
        self.known.setdefault(kind, []).append(name)
        return name

    def word(self) -> str:
        return self.chance.choice(_WORDS)

    def some(self, kind: str) -> str | None:
        names = self.known.get(kind)
        return self.chance.choice(names) if names else None

    def text(self) -> str:
        """A text with or without references in it."""
        name, number = self.some("text"), self.some("number")
        ways = [self.word(), f"${{{name}}}", f"about ${{{name}}}", f"${{{name}}} (${{{number}}})"]
        ways.append(f"${{{{ upper({name}) + ' ' + str({number}) }}}}")
        return self.chance.choice(ways)

    def number(self) -> Any:
        name = self.some("number")
        return self.chance.choice(
            [3, f"${{{name}}}", f"${{{{ {name} * 2 + 1 }}}}", f"${{{{ max({name}, 2) }}}}"]
        )

    def condition(self) -> str:
        """An expression that gives true or false."""
        text, number = self.some("text"), self.some("number")
        ways = [
            f"{number} > {self.chance.randrange(9)}",
            f"contains({text}, 's')",
            f"len({text}) % 2 == 0 and {number} != 4",
        ]
        flag = self.some("boolean")
        return self.chance.choice([*ways, flag, f"not {flag}"] if flag else ways)

    def within(self, count: int) -> None:
        """Blocks whose variables nobody knows afterwards."""
        before = {kind: list(names) for kind, names in self.known.items()}
        self.depth += 1
        self.blocks(count)
        self.depth -= 1
        self.known = before

    def blocks(self, count: int) -> None:
        for _ in range(count):
            simple, nested = _BLOCKS
            makers = simple if self.depth >= _MAX_DEPTH else simple + nested
            self.chance.choice(makers)(self)

    # Blocks of one or two steps.

    def assigned(self) -> None:
        text, number = self.text(), self.number()
        self.add(assign(**{self.new("text"): text, self.new("number"): number}))

    def calculated(self) -> None:
        a, b = self.some("number"), self.some("number")
        self.add(assign(**{self.new("number"): f"${{{a}}} + ${{{b}}}"}))

    def collected(self) -> None:
        a, b, n = self.text(), self.text(), self.some("number")
        self.add(assign(**{self.new("texts"): [a, b], self.new("numbers"): f"${{{{ [{n}, {n} + 1] }}}}"}))

    def looked_up(self) -> None:
        query, limit = self.text(), self.number()
        self.add(call("search_web", self.new("hits"), query=query, limit=limit))

    def listed(self) -> None:
        self.add(call("list_files", self.new("files"), path="docs", pattern="*.md"))

    def read(self) -> None:
        files = self.some("files")
        path = self.chance.choice(
            ["README.md", "docs/stars.md", *([f"${{{files}[0].path}}"] if files else [])]
        )
        step = call("read_file", {self.new("text"): "text", self.new("number"): "lines"}, path=path)
        self.add(step)

    def counted(self) -> None:
        text = self.text()
        self.add(call("count_words", self.new("number"), text=text, at_least=2))

    def opened(self) -> None:
        text = self.text()
        self.add(call("is_open", self.new("boolean"), place=text))

    def added_up(self) -> None:
        numbers = self.some("numbers")
        values = f"${{{numbers}}}" if numbers else [1, self.number(), 2.5]
        more = {"retry": {"max_attempts": 2, "backoff": 0.5}}
        self.add(call("add_up", {self.new("amount"): "total"}, more, values=values, digits=1))

    def saved(self) -> None:
        title, body, tag = self.text(), self.text(), self.text()
        self.add(call("save_note", self.new("text"), title=title, body=body, tags=[tag, "sky"]))

    def mailed(self) -> None:
        texts, subject, body = self.some("texts"), self.text(), self.text()
        to = f"${{{texts}}}" if texts else [self.text()]
        self.add(call("send_mail", {self.name(): "id"}, to=to, subject=subject, body=body, urgent=False))

    def written(self) -> None:
        prompt = f"Write about {self.text()}"
        if self.chance.random() < 0.5:
            self.add(call("llm_generate", self.new("text"), prompt=prompt))
            return
        context = {"of": f"${{{self.some('text')}}}", "n": [f"${{{self.some('number')}}}"]}
        # In a list of two names each is the key of the result.
        self.add(call("llm_generate", [self.new("text"), self.new("text")], prompt=prompt, context=context))

    def thought(self) -> None:
        self.add(think(f"There is ${{nothing}} to do about {self.word()}"))

    def fanned(self) -> None:
        source = self.chance.choice(
            [kind for kind in ("texts", "hits", "files") if self.known.get(kind)] or [""]
        )
        if not source:
            query = self.text()
            self.add(
                call("count_words", self.new("numbers"), each([query, self.word()]), text="${item} ${index}")
            )
            return
        items, about = (
            f"${{{self.some(source)}}}",
            {"texts": "${item}", "hits": "${item.title}", "files": "${item.path}"},
        )
        self.add(call("count_words", self.new("numbers"), each(items), text=about[source]))

    # Blocks that jump.

    def branched(self) -> None:
        """Two ways that set the same variable and meet again; a variable or the model decides."""
        other, end, text, number = self.label(), self.label(), self.name(), self.name()
        self.decide(None, other)
        self.within(self.chance.randrange(2))
        self.add(assign(**{text: self.text(), number: self.number()}))
        self.add(jump(end))
        self.put(other)
        self.within(self.chance.randrange(2))
        self.add(assign(**{text: self.text(), number: self.number()}))
        self.put(end)
        self.known["text"].append(text)
        self.known["number"].append(number)
        self.assigned()

    def decide(self, if_true: int | None, if_false: int) -> None:
        """Go on with the next step or at a label, by an expression or a judgement."""
        here = self.label()
        if self.chance.random() < 0.4:
            self.add(judged(f"Is it about ${{{self.some('text')}}}?", if_true or here, if_false, self.text()))
        else:
            self.add(when(self.condition(), if_true or here, if_false))
        self.put(here)

    def skipped(self) -> None:
        end = self.label()
        self.add(when(self.condition(), end))
        self.within(self.chance.randrange(1, 3))
        self.put(end)
        self.assigned()

    def ended(self) -> None:
        """One way ends with an answer of its own."""
        on = self.label()
        self.decide(None, on)
        self.within(self.chance.randrange(2))
        self.answer()
        self.put(on)
        self.assigned()

    def looped(self) -> None:
        """A counter, a body that may add to a list, the way back."""
        again, i, texts = self.label(), self.new("number"), self.new("texts")
        self.add(assign(**{i: 0, texts: []}))
        self.put(again)
        counters, self.known["number"] = self.known["number"], [n for n in self.known["number"] if n != i]
        self.within(self.chance.randrange(1, 3))
        self.known["number"] = counters
        step = {i: f"${{{i}}} + 1"}
        step[texts] = f"${{{{ {texts} + [str({i})] }}}}"
        self.add(assign(**step))
        self.add(when(f"{i} < {self.chance.randrange(2, 4)}", again))

    def while_looped(self) -> None:
        """The condition stands above the body."""
        top, out, i = self.label(), self.label(), self.name()
        self.add(assign(**{i: self.chance.randrange(1, 4)}))
        self.put(top)
        self.add(when(f"{i} <= 0", out))
        self.within(self.chance.randrange(1, 3))
        self.add(assign(**{i: f"${{{{ {i} - 1 }}}}"}))
        self.add(jump(top))
        self.put(out)
        self.assigned()

    def waited(self) -> None:
        """A tool is asked until it says that it is done."""
        again, job, state = self.label(), self.new("text"), self.name()
        self.add(call("start_job", job, name=self.word(), cores=2))
        self.put(again)
        self.add(call("job_status", {state: "state"}, job=f"${{{job}}}"))
        self.add(when(f"{state} != 'done'", again))

    def handled(self) -> None:
        """A call that may fail, and what follows where it does."""
        handler, end, text = self.label(), self.label(), self.name()
        where = {"on_error": {"goto": handler}}
        self.add(call("fetch_page", {text: "text"}, where, url=self.text()))
        self.add(jump(end))
        self.put(handler)
        self.add(
            assign(**{text: self.chance.choice(["none: ${error.message}", "none at step ${error.step}"])})
        )
        self.put(end)
        self.known["text"].append(text)
        self.assigned()

    def continued(self) -> None:
        """A call that may fail and leaves null where it did."""
        failed, end, page, text = self.label(), self.label(), self.name(), self.name()
        self.add(call("fetch_page", page, {"on_error": "continue"}, url=self.text()))
        self.add(when(f"{page} == null", failed))
        self.add(assign(**{text: f"${{{page}.text}}"}))
        self.add(jump(end))
        self.put(failed)
        self.add(assign(**{text: "${error.tool} failed"}))
        self.put(end)
        self.known["text"].append(text)
        self.assigned()

    def answer(self) -> None:
        names = [self.some(kind) for kind in self.known if self.known[kind]]
        if self.chance.random() < 0.2:
            self.add(call("llm_generate", "final_answer", prompt=f"Answer with {self.text()}"))
            return
        value: Any = {"text": self.text(), "all": [f"${{{name}}}" for name in names]}
        self.add(assign(final_answer=self.chance.choice([value, self.text()])))

    def numbered(self) -> Steps:
        """Labels become numbers, which have gaps where the stride says so."""
        stride = self.chance.choice([1, 1, 5, 10])
        start = self.chance.choice([0, 1, stride])
        numbers = [start + stride * index for index in range(len(self.steps))]

        def number(label: int) -> int:
            return numbers[self.places[label]]

        numbered = []
        for seq_no, step in zip(numbers, self.steps, strict=True):
            parameters = dict(step["parameters"])
            if step["type"] == "jmp":
                parameters |= {name: number(parameters[name]) for name in TARGETS if name in parameters}
            elif isinstance(parameters.get("on_error"), dict):
                parameters["on_error"] = {"goto": number(parameters["on_error"]["goto"])}
            numbered.append({"seq_no": seq_no, **step, "parameters": parameters})
        return numbered


_Maker = Callable[[_Writer], None]
_SIMPLE: Final[list[_Maker]] = [
    _Writer.assigned, _Writer.calculated, _Writer.collected, _Writer.looked_up, _Writer.listed, _Writer.read,
    _Writer.counted, _Writer.opened, _Writer.added_up, _Writer.saved, _Writer.mailed, _Writer.written,
    _Writer.thought, _Writer.fanned,
]  # fmt: skip
_NESTED: Final[list[_Maker]] = [
    _Writer.branched, _Writer.skipped, _Writer.ended, _Writer.looped, _Writer.while_looped, _Writer.waited,
    _Writer.handled, _Writer.continued,
]  # fmt: skip
_BLOCKS: Final = (_SIMPLE, [*_NESTED, *_NESTED])
