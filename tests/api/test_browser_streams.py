"""Chromium's EventSource on a run, through a restart of the server."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from served import Served, read_events, serving

PAGE = """<!doctype html><title>watch</title><script>
const commits = [], opens = [];
const source = new EventSource("/api/tasks/TASK/events");
source.onopen = () => opens.push(1);
source.addEventListener("commit", (event) => {
  commits.push(JSON.parse(event.data).commit);
  if (commits.length === 5) fetch("/five", {method: "POST"});
});
source.addEventListener("task", (event) => {
  if (JSON.parse(event.data).status !== "completed") return;
  source.close();
  fetch("/result", {method: "POST", body: JSON.stringify({commits, opens: opens.length})});
});
</script>"""


class Page:
    """Serves the page, and passes on what it asks of the server, as one origin; hears what the page says."""

    def __init__(self, served: Served, task_id: str) -> None:
        self.five, self.done = threading.Event(), threading.Event()
        self.result: dict[str, Any] = {}
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/":
                    self.send_response(200)
                    self.send_header("Content-Type", "text/html")
                    self.end_headers()
                    self.wfile.write(PAGE.replace("TASK", task_id).encode())
                elif self.path.startswith("/api/"):
                    with suppress(OSError, http.client.HTTPException):  # then the browser sees it break off
                        self._pass_on()
                else:
                    self.send_error(404)

            def _pass_on(self) -> None:
                asking = http.client.HTTPConnection("127.0.0.1", served.port)
                last = self.headers.get("Last-Event-ID")
                try:
                    asking.request("GET", self.path, headers={"Last-Event-ID": last} if last else {})
                    answer = asking.getresponse()
                    self.send_response(answer.status)
                    self.send_header("Content-Type", answer.headers["Content-Type"])
                    self.end_headers()
                    while data := answer.read1(65536):
                        self.wfile.write(data)
                finally:
                    asking.close()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(204)
                self.end_headers()
                if self.path == "/five":
                    page.five.set()
                else:
                    page.result = json.loads(body)
                    page.done.set()

            def log_message(self, *args: object) -> None:
                """Nothing on the terminal."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """A browser that goes is part of it."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


def chromium() -> str:
    found = os.environ.get("TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("CI"):
            raise AssertionError("chromium is needed")
        pytest.skip("no chromium")
    return found


def test_event_source_misses_and_repeats_nothing_through_a_restart(tmp_path: Path) -> None:
    program = chromium()
    nap = {"tool_name": "nap", "tool_params": {"seconds": "${{ x * 0 + 0.1 }}"}, "output_vars": "x"}
    steps = [{"type": "assign", "parameters": {"x": 0}}]
    steps += [{"type": "calling", "parameters": nap}] * 70
    steps += [{"type": "assign", "parameters": {"final_answer": "done"}}]
    with serving(tmp_path, SHUTDOWN_SECONDS=5) as served:
        task = served.submit(*steps)
        page = Page(served, task)
        command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        command += [f"--user-data-dir={tmp_path / 'browser'}", "--remote-debugging-port=0", page.url]
        with (tmp_path / "browser.log").open("wb") as log:
            browser = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            assert page.five.wait(40), (tmp_path / "browser.log").read_text()
            served.stop()
            served.start()
            assert page.done.wait(60)
            with served.client.stream("GET", f"/api/tasks/{task}/events") as response:
                told = list(read_events(response.iter_lines(), lambda event: event["event"] == "live"))
        finally:
            browser.terminate()
            browser.wait(20)
            page.close()
    assert page.result["commits"] == [event["data"]["commit"] for event in told if event["event"] == "commit"]
    assert len(page.result["commits"]) == 74 and page.result["opens"] >= 2
