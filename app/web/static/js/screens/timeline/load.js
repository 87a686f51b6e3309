// The times of a branch: all pages of them, the newest first as they come, and what is new while the run goes on.
import { useCallback, useEffect, useRef, useState } from "../../core/html.js";
import { get, toProblem } from "../../core/api.js";
import { path } from "../../core/router.js";

const PAGE = 500;
const NEWS = 60;
const PAUSE_MS = 500;

/** What is new, put before what is known: null where the two do not meet. */
function joined(news, known) {
  const index = news.findIndex((entry) => entry.commit === known[0]?.commit);
  return index < 0 ? null : [...news.slice(0, index), ...known];
}

/** @returns {{entries: any[], done: boolean, problem: any, later: () => void, reload: () => void}} entries oldest first */
export function useTimeline(id, branch) {
  const [state, setState] = useState({ of: null, items: [], done: false, problem: null });
  const [round, setRound] = useState(0);
  const latest = useRef(state);
  latest.current = state;
  const timer = useRef(null);
  const key = `${id} ${branch}`;
  const at = path`/api/tasks/${id}/timeline`;
  useEffect(() => {
    if (!branch) return undefined;
    const controller = new AbortController();
    (async () => {
      let items = [];
      let cursor = null;
      try {
        do {
          const page = await get(at, { rev: branch, limit: PAGE, cursor }, controller.signal);
          items = [...items, ...page.items];
          cursor = page.next;
          setState({ of: key, items, done: cursor === null, problem: null });
        } while (cursor !== null);
      } catch (error) {
        if (error.name !== "AbortError") setState((now) => ({ ...now, of: key, problem: toProblem(error) }));
      }
    })();
    return () => controller.abort();
  }, [key, round]);
  useEffect(() => () => clearTimeout(timer.current), []);

  const reload = useCallback(() => setRound((before) => before + 1), []);
  const later = useCallback(() => {
    timer.current ??= setTimeout(async () => {
      timer.current = null;
      if (!latest.current.done) return;
      try {
        const { items } = await get(at, { rev: branch, limit: NEWS });
        const all = joined(items, latest.current.items);
        if (all) setState((now) => (now.of === key ? { ...now, items: all } : now));
        else reload();
      } catch {
        // the next commit asks again
      }
    }, PAUSE_MS);
  }, [key, reload]);
  const isOurs = state.of === key;
  return { entries: isOurs ? state.items : [], done: isOurs && state.done, problem: isOurs ? state.problem : null, later, reload };
}
