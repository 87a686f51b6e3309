"""How quick the viewer is in Chromium: ``PYTHONPATH=.:tests:tests/web python -m benchmarks.viewer``.

Time to the first content of a run, scrolling its steps, the answer to a key. Beside the wall clock stands the
processor time of the page's main thread, which says the same on a busy machine as on a quiet one.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from browsing import Watched, chromium
from playwright.sync_api import Browser, Page
from served import Served, serving

_FRAME_MS: Final = 1_000 / 60
_CONTENT: Final = """() => new Promise((done) => {
  const look = () => (document.querySelector(".step-list [role=option]") && document.querySelector(".step-pane h2")
    && document.querySelector(".variable") ? done(performance.now()) : requestAnimationFrame(look));
  look();
})"""
_SCROLL: Final = """(seconds) => new Promise((done) => {
  const list = document.querySelector(".step-list"), times = [], begun = performance.now();
  let last = begun, way = 180;
  const turn = (now) => {
    times.push(now - last);
    last = now;
    list.scrollTop += way;
    if (list.scrollTop + list.clientHeight >= list.scrollHeight - 5 || list.scrollTop <= 0) way = -way;
    if (now - begun < seconds * 1000) requestAnimationFrame(turn);
    else done(times.slice(2));
  };
  requestAnimationFrame(turn);
})"""
_KEY: Final = """() => new Promise((done) => {
  const chosen = () => document.querySelector(".step-list [aria-selected=true]")?.id;
  const before = chosen(), begun = performance.now();
  dispatchEvent(new KeyboardEvent("keydown", {key: "j", bubbles: true}));
  const look = () => (chosen() !== before ? done(performance.now() - begun) : requestAnimationFrame(look));
  look();
})"""


def counting(served: Served, commits: int) -> str:
    """A run of that many commits."""
    times = max(1, (commits - 4) // 2)
    steps: list[dict[str, Any]] = [
        {"type": "assign", "parameters": {"next": 0, "total": 0}},
        {"type": "assign", "parameters": {"next": "${{ next + 1 }}", "total": "${{ total + next }}"}},
        {"type": "jmp", "parameters": {"condition": f"next < {times}", "jump_if_true": 2}},
        {"type": "assign", "parameters": {"final_answer": "${total}"}},
    ]
    return str(served.wait(served.submit(*steps, max_steps=1_000_000))["task_id"])


def measure(browser: Browser, served: Served, task: str, repeats: int, seconds: float) -> dict[str, Any]:
    """The figures of one run. Times are milliseconds."""
    watched = Watched(browser, served.url)
    page = watched.page()
    used = _processor(page)
    opened = [_open(page, f"{served.url}/tasks/{task}", used) for _ in range(repeats + 1)]
    page.wait_for_function(
        "() => { const [at, of] = document.querySelector('.scrubber').innerText.split('/'); return of; }"
    )
    before = used()
    frames = sorted(page.evaluate(_SCROLL, seconds))
    spent = used() - before
    keys = sorted(page.evaluate(_KEY) for _ in range(20))
    watched.close()
    return {
        "first visit": round(opened[0][0]),
        "content": round(median(wall for wall, _ in opened[1:])),
        "content, main thread": round(median(cpu for _, cpu in opened[1:])),
        "frames a second": round(1_000 * len(frames) / sum(frames), 1),
        "frame, 95 %": round(frames[int(len(frames) * 0.95)], 1),
        "frame, main thread": round(spent / len(frames), 1),
        "of a frame": f"{spent / len(frames) / _FRAME_MS:.0%}",
        "key": round(median(keys), 1),
        "key, 95 %": round(keys[int(len(keys) * 0.95)], 1),
    }


def _processor(page: Page) -> Callable[[], float]:
    """What the page's main thread has used so far, in milliseconds."""
    tools = page.context.new_cdp_session(page)
    tools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def used() -> float:
        metrics = {each["name"]: each["value"] for each in tools.send("Performance.getMetrics")["metrics"]}
        return float(metrics["TaskDuration"]) * 1_000

    return used


def _open(page: Page, url: str, used: Callable[[], float]) -> tuple[float, float]:
    page.goto("about:blank")
    before = used()
    page.goto(url, wait_until="commit")
    return float(page.evaluate(_CONTENT)), used() - before


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of all figures, or one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commits", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of scrolling")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, serving(Path(folder)) as served:
        tasks = {commits: counting(served, commits) for commits in options.commits}
        with chromium() as browser:
            for commits, task in tasks.items():
                load = os.getloadavg()[0]
                found[f"{commits} commits"] = {
                    **measure(browser, served, task, options.repeats, options.seconds),
                    "load": round(load, 1),
                }
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name, figures in found.items():
        print(name)
        for what, value in figures.items():
            print(f"  {what:<22} {value}")


if __name__ == "__main__":
    main()
