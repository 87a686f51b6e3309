"""Valid plans as people and models write them, for the tools of :mod:`benchmarks.faults.world`."""

from __future__ import annotations

from typing import Any, Final

Step = dict[str, Any]
Steps = list[Step]


def assign(**values: Any) -> Step:
    return {"type": "assign", "parameters": values}


def call(tool: str, outputs: Any = None, more: dict[str, Any] | None = None, **arguments: Any) -> Step:
    parameters = {"tool_name": tool, "tool_params": arguments, **(more or {})}
    if outputs is not None:
        parameters["output_vars"] = outputs
    return {"type": "calling", "parameters": parameters}


def when(condition: str, if_true: int, if_false: int | None = None) -> Step:
    parameters: dict[str, Any] = {"condition": condition, "jump_if_true": if_true}
    if if_false is not None:
        parameters["jump_if_false"] = if_false
    return {"type": "jmp", "parameters": parameters}


def judged(prompt: str, if_true: int, if_false: int, context: Any = None) -> Step:
    parameters: dict[str, Any] = {
        "condition_prompt": prompt,
        "jump_if_true": if_true,
        "jump_if_false": if_false,
    }
    if context is not None:
        parameters["context"] = context
    return {"type": "jmp", "parameters": parameters}


def jump(target: int) -> Step:
    return {"type": "jmp", "parameters": {"target_seq": target}}


def think(text: str) -> Step:
    return {"type": "reasoning", "parameters": {"chain_of_thoughts": text, "dependency_analysis": "in order"}}


def each(items: Any, **more: Any) -> dict[str, Any]:
    return {"for_each": items, **more}


def numbered(*steps: Step, stride: int = 1) -> Steps:
    return [{"seq_no": stride * (index + 1), **step} for index, step in enumerate(steps)]


CONTINUE: Final = {"on_error": "continue"}

WRITTEN: Final[dict[str, Steps]] = {
    "count the to-dos": numbered(
        call("search_text", "found", pattern="TODO", path="."),
        when("len(found) == 0", 5),
        assign(paths="${{ sorted(found, 'path') }}", first="${found[0].path}"),
        assign(
            final_answer="${{ len(found) }} to-dos, the first in ${first}; last: ${{ paths[-1]['path'] }}"
        ),
        assign(final_answer="there is nothing to do"),
    ),
    "read a file": numbered(
        call("read_file", ["text", "lines"], path="README.md"),
        assign(title="${{ split(text, '\\n')[0] }}"),
        assign(final_answer={"title": "${title}", "lines": "${lines}"}),
    ),
    "read all files": numbered(
        call("list_files", "files", path="docs", pattern="*.md"),
        call("read_file", {"texts": "text", "counts": "lines"}, each("${files}"), path="${item.path}"),
        call("add_up", {"total": "total", "mean": "mean"}, values="${counts}", digits=1),
        assign(final_answer="${total} lines, ${{ round(mean, 1) }} each, in ${{ len(texts) }} files"),
    ),
    "older spelling": numbered(
        assign(a=7, b=3),
        assign(sum="${a} + ${b}", mean="(${a} + ${b}) / 2", text="${a} and ${b}"),
        think("A sum, a mean, a text."),
        assign(final_answer=["${sum}", "${mean}", "${text}"]),
    ),
    "a loop over files": numbered(
        call("list_files", "files", path="notes"),
        assign(i=0, words=0),
        when("i >= len(files)", 80),
        call("read_file", {"text": "text"}, path="${{ files[i]['path'] }}"),
        call("count_words", "number", text="${text}", at_least=2),
        assign(words="${words} + ${number}", i="${i} + 1"),
        jump(30),
        assign(final_answer={"files": "${{ len(files) }}", "words": "${words}"}),
        stride=10,
    ),
    "a question to the model": numbered(
        call("search_web", "hits", query="maps of the sky", limit=3),
        judged("Is one of these about maps?", 3, 5, context="${hits}"),
        call("llm_generate", "summary", prompt="Sum these up: ${hits}"),
        jump(6),
        assign(summary="nothing about maps"),
        assign(final_answer="${summary}"),
    ),
    "several outputs of the model": numbered(
        call("read_file", {"text": "text"}, path="docs/guide.md"),
        call(
            "llm_generate",
            ["title", "abstract"],
            prompt="Title and abstract, please",
            context={"text": "${text}"},
            response_format={"lang": "en"},
        ),
        call("save_note", "note", title="${title}", body="${abstract}", tags=["guide", "draft"]),
        assign(final_answer={"note": "${note}", "title": "${title}"}),
    ),
    "pages that may be gone": numbered(
        call("search_web", "hits", query="stars", limit=4),
        call("fetch_page", "pages", each("${hits}", on_error="continue"), url="${item.url}"),
        when("null in pages", 4, 6),
        assign(note="missing: item ${error.item}, ${error.message}"),
        jump(7),
        assign(note="all there"),
        assign(final_answer={"note": "${note}", "pages": "${{ len(pages) }}"}),
    ),
    "a page or a text instead": numbered(
        assign(url="https://example.org/atlas"),
        call("fetch_page", {"text": "text"}, {"on_error": {"goto": 4}}, url="${url}", form="html"),
        jump(5),
        assign(text="no page: ${error.message}"),
        call("count_words", "words", text="${text}"),
        assign(final_answer="${words} words: ${text}"),
    ),
    "wait for a job": numbered(
        call("start_job", "job", name="render", cores=4, wait=False),
        call("job_status", ["state", "progress"], job="${job}"),
        when("state == 'done'", 5),
        jump(2),
        call("send_mail", "receipt", to=["ops@example.org"], subject="${job} is done", body="${progress} %"),
        assign(final_answer="${receipt.id}"),
    ),
    "unpaid orders": numbered(
        call("find_orders", "found", customer="Vega", filters={"paid": False, "above": 5}, fields=["id"]),
        assign(orders="${found.orders}", ids=[], sum=0, i=0),
        when("orders[i]['paid']", 5),
        assign(ids="${{ ids + [orders[i]['id']] }}", sum="${{ sum + orders[i]['amount'] }}"),
        assign(i="${{ i + 1 }}"),
        when("i < len(orders)", 3),
        when("len(ids) == 0", 10),
        call(
            "send_mail",
            {"sent": "queued"},
            to="${{ ['billing@example.org'] + [found['customer']] }}",
            subject="Unpaid: ${{ join(ids, ', ') }}",
            body="Together ${sum}",
            urgent="${{ sum > 100 }}",
        ),
        assign(final_answer={"ids": "${ids}", "sum": "${sum}", "sent": "${sent}"}),
        assign(final_answer="all is paid"),
    ),
    "three places": numbered(
        assign(places=["museum", "library", "park"]),
        call("is_open", "open", each("${places}"), place="${item}"),
        assign(any="${{ true in open }}"),
        when("any", 6),
        assign(final_answer="all are closed"),
        call(
            "llm_generate", "texts", each("${places}"), prompt="Place ${index}: ${item}", context="${open[0]}"
        ),
        assign(final_answer={"open": "${open}", "texts": "${texts}"}),
    ),
    "ask until it is good": numbered(
        assign(draft="", round=0, feedback="none"),
        call("llm_generate", "draft", prompt="Write it. Draft: ${draft}. Feedback: ${feedback}"),
        assign(round="${{ round + 1 }}"),
        when("round >= 3", 7),
        judged("Is this good? ${draft}", 7, 6, context={"draft": "${draft}", "round": "${round}"}),
        assign(feedback="${{ 'shorter' if round < 2 else 'clearer' }}") | {"description": "what to change"},
        when("round < 3 and feedback == 'shorter'", 2, 8),
        assign(final_answer={"draft": "${draft}", "rounds": "${round}"}),
    ),
    "rows of a database": numbered(
        call("ask_database", "rows", query="select * from stars where name = ?", values=["Vega", 7, None]),
        assign(ids="${rows[0].id}", row={"first": "${rows[0]}", "raw": "costs $${5}"}),
        call("ask_database", {"name": "[0].query", "all": ""}, query="${row.first.query}"),
        call("web_search", None, query="${name}", site="example.org"),
        assign(final_answer={"ids": "${ids}", "name": "${name}", "all": "${all}"}),
    ),
    "an answer straight from a tool": numbered(
        call("search_text", "found", pattern="Vega"),
        when("len(found) > 1", 4),
        call("llm_generate", "final_answer", prompt="Nothing much about Vega"),
        call("llm_generate", "final_answer", prompt="What is Vega?", context="${found}"),
    ),
    "two loops": numbered(
        assign(i=0, table=[]),
        assign(j=0, line=[]),
        assign(line="${{ line + [i * j] }}", j="${{ j + 1 }}"),
        when("j < 3", 3),
        assign(table="${{ table + [line] }}", i="${{ i + 1 }}"),
        when("i < 3", 2, 7),
        call("add_up", "stats", values="${{ table[2] }}"),
        assign(final_answer={"table": "${table}", "stats": "${stats}"}),
    ),
}
