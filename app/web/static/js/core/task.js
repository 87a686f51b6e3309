// One task as it stands: its row, its branches, what is under way; told anew by its stream of events.
import { useCallback, useEffect, useRef, useState } from "./html.js";
import { get, toProblem, useAgain } from "./api.js";
import { tellTask, useStream } from "./live.js";
import { path } from "./router.js";

const EVENTS = ["commit", "branch", "status", "task", "live", "deleted"];
const PAUSE_MS = 600;

/**
 * @param {string} id of the task, or the beginning of one
 * @param {{onCommit?: (commit: any) => void, onStart?: () => void}} handlers
 *   `onCommit`: a commit with its `branch`; `onStart`: the stream begins, or begins again after a break
 * @returns {{task: any, branches: any[], live: Object<string, any>, problem: any, deleted: boolean, reload: () => void}}
 *   `live`: by branch what is under way: steps, texts, usage
 */
export function useTask(id, { onCommit, onStart } = {}) {
  const [state, setState] = useState({ task: null, branches: [], problem: null, deleted: false });
  const [live, setLive] = useState({});
  const timer = useRef(null);

  const load = useCallback(async () => {
    try {
      const [task, branches] = await Promise.all([get(path`/api/tasks/${id}`), get(path`/api/tasks/${id}/branches`)]);
      setState({ task, branches: branches.items, problem: null, deleted: false });
    } catch (error) {
      setState((now) => ({ ...now, problem: toProblem(error) }));
    }
  }, [id]);
  const reload = useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = null;
      load();
    }, PAUSE_MS); // a run may commit many times a second
  }, [load]);

  useEffect(() => {
    load();
    return () => {
      clearTimeout(timer.current);
      timer.current = null;
    };
  }, [load]);

  useAgain(state.problem, reload);

  useStream(path`/api/tasks/${id}/events`, EVENTS, (name, data) => {
    if (name === "live") {
      setLive(data.branches);
    } else if (name === "commit") {
      onCommit?.(data);
      reload();
    } else if (name === "task") {
      setState((now) => ({ ...now, task: { ...now.task, ...data } }));
      reload();
    } else if (name === "deleted") {
      setState((now) => ({ ...now, deleted: true }));
    } else {
      // Said at once, wherever it is shown; the rest of the branch comes with what is asked for.
      if (name === "status") {
        setState((now) => ({ ...now, branches: now.branches.map((each) => (each.branch === data.branch ? { ...each, status: data.status } : each)) }));
        tellTask({ task_id: id, status: data.status });
      }
      reload();
    }
  }, {
    params: { since: "now" },
    onOpen: () => {
      reload();
      onStart?.();
    },
  });

  return { ...state, live, reload };
}
