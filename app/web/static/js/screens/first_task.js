// Where there is no task yet: what this is, and one click to a run to look at.
import { html, useState } from "../core/html.js";
import { get, post, toProblem } from "../core/api.js";
import { may } from "../core/session.js";
import { Link, navigate, path } from "../core/router.js";
import { Empty } from "../widgets/empty.js";
import { ProblemNote } from "../widgets/problem_note.js";

const EXAMPLE = new URL("../../examples/largest_files.json", import.meta.url).href;

export function FirstTask() {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    try {
      const task = await post("/api/tasks", await get(EXAMPLE));
      navigate(path`/tasks/${task.task_id}`);
    } catch (error) {
      setProblem(toProblem(error));
      setBusy(false);
    }
  };
  return html`<${Empty} title="No tasks yet">
    <p>A task is a goal and a plan of steps to reach it. Every step that runs becomes a commit: you can look at each, go back to it, change the plan and go on from there.</p>
    ${may("operator") ? html`<p class="actions">
        <button class="primary" disabled=${busy} onClick=${run}>Run the example</button>
        <${Link} to="/new" class="button">Write your own</${Link}>
      </p>
      <p class="quiet">The example reads the files that the server's tools may see and tells which are the largest. It asks no model and changes nothing.</p>`
    : html`<p class="quiet">Your key may look, not submit. As soon as somebody submits a task it stands here.</p>`}
    <${ProblemNote} problem=${problem} />
  </${Empty}>`;
}
