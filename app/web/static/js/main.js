// Begins: the table of screens, who is signed in, and the frame around the screen that the address names.
import { html, render, useEffect, useErrorBoundary, useState } from "./core/html.js";
import { match, useLocation } from "./core/router.js";
import { isLikelyIn, loadSession, session } from "./core/session.js";
import { useStore } from "./core/store.js";
import { setScreen } from "./core/title.js";
import { away, toProblem } from "./core/api.js";
import { whenBack } from "./core/away.js";
import { Frame } from "./frame.js";
import { Empty, Loading } from "./widgets/empty.js";
import { ProblemNote } from "./widgets/problem_note.js";

// A screen's module is asked for when it is first needed; `css` names its style sheet.
const ROUTES = [
  { path: "/", title: "Tasks", load: () => import("./screens/tasks.js"), css: "tasks" },
  { path: "/new", title: "New task", load: () => import("./screens/new_task.js"), css: "new_task" },
  { path: "/tasks/:id", title: "Run", load: () => import("./screens/run/run.js"), css: "run" },
  { path: "/tasks/:id/plan", title: "Plan", load: () => import("./screens/plan.js"), css: "plan" },
  { path: "/tasks/:id/timeline", title: "Timeline", load: () => import("./screens/timeline.js"), css: "timeline" },
  { path: "/tasks/:id/variables/:name", title: "Variable", load: () => import("./screens/variable.js"), css: "variable" },
  { path: "/tasks/:id/edit", title: "Edit", load: () => import("./screens/edit.js"), css: "review" },
  { path: "/tasks/:id/proposals", title: "Proposals", load: () => import("./screens/proposals.js"), css: "review" },
  { path: "/tasks/:id/proposals/:number", title: "Proposal", load: () => import("./screens/proposal.js"), css: "review" },
  { path: "/compare", title: "Compare", load: () => import("./screens/compare.js"), css: "review" },
  { path: "/waiting", title: "Waiting", load: () => import("./screens/waiting.js"), css: "waiting" },
  { path: "/namespaces", title: "Namespaces", load: () => import("./screens/namespaces.js"), css: "tools" },
  { path: "/tools", title: "Tools", load: () => import("./screens/tools.js"), css: "tools" },
  { path: "/tools/:name", title: "Tool", load: () => import("./screens/tool.js"), css: "tools" },
  { path: "/keys", title: "API keys", load: () => import("./screens/keys.js"), css: "tools" },
];

const loaded = new Map();

function addStyles(name) {
  const address = new URL(`../css/${name}.css`, import.meta.url).href;
  if ([...document.querySelectorAll("link[rel=stylesheet]")].some((link) => link.href === address)) return Promise.resolve();
  return new Promise((done) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: address, onload: done, onerror: done });
    document.head.append(link);
  });
}

async function load(route) {
  const [module] = await Promise.all([route.load(), route.css && addStyles(route.css)]);
  loaded.set(route.load, module.default);
}

/** Why a screen's module did not come. Browsers tell only by the kind of error that it was not sent, not that it is wrong. */
async function reasonOf(failure) {
  if (!(failure instanceof TypeError) || (await loadSession())) return toProblem(failure);
  return away("this page comes when it answers again");
}

function Guarded({ children }) {
  const [error, reset] = useErrorBoundary((thrown) => console.error(thrown));
  if (error) return html`<main class="page"><${ProblemNote} problem=${toProblem(error)} onRetry=${reset} /></main>`;
  return children;
}

function Screen() {
  const { path, query } = useLocation();
  const [, drawn] = useState(0);
  const [failure, setFailure] = useState(null);
  const found = match(ROUTES, path);
  const Component = found && loaded.get(found.route.load);
  useEffect(() => {
    setScreen(found?.route.title ?? null);
    setFailure(null);
    if (found && !Component) load(found.route).then(() => drawn((round) => round + 1), async (error) => setFailure(await reasonOf(error)));
  }, [found?.route]);
  // Anew as a whole: browsers may remember that a module did not come, and a server that began again may have other files.
  useEffect(() => (failure?.code === "away" ? whenBack(() => location.reload()) : undefined), [failure]);
  if (!found) return html`<main class="page"><${Empty} title="There is no such page"><p><a href="/">All tasks</a></p></${Empty}></main>`;
  if (failure) return html`<main class="page"><${ProblemNote} problem=${failure} onRetry=${() => location.reload()} /></main>`;
  if (!Component) return html`<main class="page"><${Loading} /></main>`;
  return html`<${Guarded} key=${path}><${Component} params=${found.params} query=${query} /></${Guarded}>`;
}

function App() {
  const now = useStore(session);
  if (now.state === "asking" && !isLikelyIn) return html`<${Waiting} />`;
  if (now.state === "refused") return html`<main class="page"><${Empty} title=${now.title}><p>${now.detail}</p></${Empty}></main>`;
  return html`${now.state === "asking" && html`<${Waiting} />`}<${Frame} session=${now}><${Screen} /></${Frame}>`;
}

/** The server could not be asked who we are: it is asked again by itself. */
function Waiting() {
  const [isAway, setAway] = useState(false);
  useEffect(() => {
    let timer = null;
    const ask = async () => {
      if (await loadSession()) return;
      setAway(true);
      timer = setTimeout(ask, 2_000);
    };
    ask();
    return () => clearTimeout(timer);
  }, []);
  return isAway && html`<main class="page"><${Empty} title="The server can't be reached"><p>It is asked again every two seconds.</p></${Empty}></main>`;
}

const first = match(ROUTES, location.pathname);
if (first) load(first.route).catch(() => null); // beside asking who we are
render(html`<${App} />`, document.getElementById("app"));
