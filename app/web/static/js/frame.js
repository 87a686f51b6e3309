// What stands around every screen: where one can go, what waits for somebody, the theme, the keys, the session.
import { cx, html, useEffect, useState } from "./core/html.js";
import { Notes } from "./core/announce.js";
import { get } from "./core/api.js";
import { useKeys } from "./core/keys.js";
import { connection, hearTasks } from "./core/live.js";
import { Link, navigate, useLocation } from "./core/router.js";
import { may, signOut } from "./core/session.js";
import { useStore } from "./core/store.js";
import { nextTheme, theme } from "./core/theme.js";
import { KeyHelp } from "./widgets/key_help.js";
import { Icon } from "./widgets/icon.js";
import { SignIn } from "./widgets/sign_in.js";

const MOST = 100;
const BEGIN_MS = 600;
const POLL_MS = 10_000;
const PLACES = [
  { to: "/", name: "Tasks", key: "g t", under: ["/tasks", "/new", "/compare"] },
  { to: "/waiting", name: "Waiting", key: "g w" },
  { to: "/tools", name: "Tools", key: "g o" },
  { to: "/namespaces", name: "Namespaces", key: "g n" },
  { to: "/keys", name: "API keys", key: "g k", role: "admin" },
];
const THEMES = { system: "system", light: "sun", dark: "moon" };

const isHere = (place, path) => path === place.to || [place.to, ...(place.under ?? [])].some((under) => under !== "/" && path.startsWith(under));

/** How many tasks wait for a person. Asked now and then while the page is seen, and when the screen hears that one begins or
 * ends to wait: a stream for it alone would take one of the browser's few connections in every tab. */
function useWaiting(isIn) {
  const [count, setCount] = useState(0);
  useEffect(() => {
    if (!isIn) return undefined;
    let timer = null;
    const known = new Map();
    const load = () =>
      get("/api/tasks", { status: "waiting", any_branch: true, limit: MOST }).then((page) => setCount(page.items.length), () => null);
    const later = () => {
      timer ??= setTimeout(() => {
        timer = null;
        load();
      }, 300);
    };
    // What the screen shows comes first.
    const begin = setTimeout(load, BEGIN_MS);
    const poll = setInterval(() => !document.hidden && load(), POLL_MS);
    const onVisibility = () => !document.hidden && later();
    document.addEventListener("visibilitychange", onVisibility);
    const listen = (tasks) => {
      for (const task of tasks) {
        const before = known.get(task.task_id);
        known.set(task.task_id, task.status);
        if (before !== task.status && (task.status === "waiting" || before === "waiting" || before === undefined)) later();
      }
    };
    const deafen = hearTasks(listen);
    return () => {
      clearTimeout(begin);
      clearInterval(poll);
      document.removeEventListener("visibilitychange", onVisibility);
      deafen();
      clearTimeout(timer);
    };
  }, [isIn]);
  return count;
}

function Places({ session, waiting, path }) {
  return html`<nav aria-label="Places">
    ${PLACES.filter((place) => !place.role || may(place.role, session)).map((place) => html`
      <${Link} key=${place.to} to=${place.to} class=${cx("place", isHere(place, path) && "here")} aria-current=${isHere(place, path) ? "page" : undefined}>
        ${place.name}${place.to === "/waiting" && waiting > 0 && html`<span class="badge" aria-label=${`${waiting} waiting`}>${waiting >= MOST ? `${MOST - 1}+` : waiting}</span>`}
      </${Link}>`)}
  </nav>`;
}

export function Frame({ session, children }) {
  const { path } = useLocation();
  const chosen = useStore(theme);
  const link = useStore(connection);
  const [isHelp, setHelp] = useState(false);
  const isIn = session.state === "in" || session.state === "asking";
  const waiting = useWaiting(isIn);
  useKeys("Everywhere", {
    "?": { label: "Keyboard shortcuts", run: () => setHelp(true) },
    n: { label: "New task", run: () => navigate("/new") },
    ...Object.fromEntries(PLACES.map((place) => [place.key, { label: place.name, run: () => navigate(place.to) }])),
  }, { below: true });
  if (!isIn) return html`<${SignIn} session=${session} /><${Notes} />`;
  return html`
    <a class="skip" href="#screen">Skip to the content</a>
    <header class="top">
      <${Link} to="/" class="brand" aria-label="StackVM: all tasks"><img src=${new URL("../icon.svg", import.meta.url).href} alt="" width="18" height="18" /><span>StackVM</span></${Link}>
      <${Places} session=${session} waiting=${waiting} path=${path} />
      <div class="top-end">
        ${link === "away" && html`<span class="away" role="status">connection lost, trying again</span>`}
        <${Link} to="/new" class="button primary small" aria-label="New task"><${Icon} name="add" /><span>New task</span></${Link}>
        <button class="bare" onClick=${nextTheme} title=${`Theme: ${chosen}`} aria-label=${`Theme: ${chosen}. Change it`}><${Icon} name=${THEMES[chosen]} size=${15} /></button>
        <button class="bare" onClick=${() => setHelp(true)} title="Keyboard shortcuts (?)" aria-label="Keyboard shortcuts"><${Icon} name="help" size=${15} /></button>
        ${session.keysNeeded && html`<span class="who" title=${`${session.role}${session.namespace ? ` of ${session.namespace}` : ""}`}>${session.name}</span>
          <button class="bare small" onClick=${signOut}>Sign out</button>`}
      </div>
    </header>
    <div id="screen" class="screen" tabindex="-1">${children}</div>
    ${isHelp && html`<${KeyHelp} onClose=${() => setHelp(false)} />`}
    <${Notes} />`;
}
