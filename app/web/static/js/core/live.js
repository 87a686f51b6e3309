// Streams of events that stay: they break and come again where they were, and end when the session does. A browser gives
// an origin six connections for all its tabs: so a tab that is hidden has none of them, and no screen opens more than one.
import { useEffect, useRef } from "./html.js";
import { get } from "./api.js";
import { loadSession, session } from "./session.js";
import { makeStore } from "./store.js";

const HIDDEN_MS = 1_000; // who only looks at another tab for a moment keeps it
const FIRST_MS = 500;
const LONGEST_MS = 10_000;

/** "live", or "away" while the server can't be reached: the frame says so. */
export const connection = makeStore("live");

/**
 * @param {string} at a path such as /api/tasks/ID/events
 * @param {string[]} names of the events that are wanted
 * @param {(name: string, data: any) => void} onEvent
 * @param {{params?: Object<string, string>, onOpen?: (isAgain: boolean) => void}} options
 *   `onOpen`: it is connected; what is asked for now misses nothing that it tells. Again: something may have been missed
 * @returns {() => void} closes it
 */
export function openStream(at, names, onEvent, { params = {}, onOpen } = {}) {
  let source = null;
  let lastId = null;
  let wait = FIRST_MS;
  let timer = null;
  let isOver = false;
  let opened = document.hidden ? 1 : 0; // one that has to wait for its page to be seen may have missed something

  function connect() {
    clearTimeout(timer);
    if (isOver || source || document.hidden) return;
    const url = new URL(at, location.origin);
    for (const [name, value] of Object.entries(lastId ? { last_event_id: lastId } : params)) url.searchParams.set(name, value);
    source = new EventSource(url);
    source.onopen = () => {
      wait = FIRST_MS;
      connection.set("live");
      opened += 1;
      onOpen?.(opened > 1);
    };
    source.onerror = () => {
      drop(); // our own reconnecting: the browser's gives up where the answer is an error, and never says why
      connection.set("away");
      timer = setTimeout(again, wait);
      wait = Math.min(wait * 2, LONGEST_MS);
    };
    for (const name of names) {
      source.addEventListener(name, (event) => {
        if (event.lastEventId) lastId = event.lastEventId;
        if (name === "deleted") close();
        onEvent(name, JSON.parse(event.data));
      });
    }
  }

  async function again() {
    await loadSession();
    if (session.get().state === "in") connect();
    else if (!isOver && !document.hidden) timer = setTimeout(again, wait);
  }

  function drop() {
    source?.close();
    source = null;
  }

  function onVisibility() {
    clearTimeout(timer);
    if (!document.hidden) connect();
    else timer = setTimeout(drop, HIDDEN_MS);
  }

  function close() {
    isOver = true;
    clearTimeout(timer);
    drop();
    document.removeEventListener("visibilitychange", onVisibility);
  }

  document.addEventListener("visibilitychange", onVisibility);
  connect();
  return close;
}

/** A stream for as long as the component is there. `at` null: none. The handler may change freely. */
export function useStream(at, names, onEvent, options) {
  const handler = useRef(onEvent);
  handler.current = onEvent;
  const opener = useRef(null);
  opener.current = options?.onOpen;
  useEffect(() => {
    if (at === null) return undefined;
    return openStream(at, names, (name, data) => handler.current(name, data), { ...options, onOpen: (isAgain) => opener.current?.(isAgain) });
  }, [at, names.join(), JSON.stringify(options?.params ?? null)]);
}

const listeners = new Set();
const tell = (tasks) => {
  for (const each of [...listeners]) each(tasks);
};
let wanted = 0;
let closeTasks = null;

/** Hear of tasks that are new or changed, as far as the screen that is open is told of them: opens no stream.
 * @returns {() => void} */
export function hearTasks(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Tell those who hear of tasks what a task's own stream said. */
export const tellTask = (task) => tell([task]);

/** Be told of all tasks that are new or changed, by a stream that all who ask for it share: for screens that have no
 * stream of a task. @returns {() => void} */
export function onTasks(listener) {
  const deafen = hearTasks(listener);
  wanted += 1;
  // After a break the newest are asked for: the stream tells what changes from now on where it had told nothing yet.
  const onOpen = (isAgain) => isAgain && get("/api/tasks", { limit: 100 }).then((page) => tell(page.items), () => null);
  closeTasks ??= openStream("/api/events", ["tasks"], (_, data) => tell(data.tasks), { onOpen });
  return () => {
    deafen();
    wanted -= 1;
    if (wanted > 0) return;
    closeTasks?.();
    closeTasks = null;
  };
}
