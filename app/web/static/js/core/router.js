// Addresses and what they mean: a path picks the screen, the query holds its selections. Every view is a link.
import { cx, html } from "./html.js";
import { makeStore, useStore } from "./store.js";

const readLocation = () => ({
  path: location.pathname,
  query: Object.fromEntries(new URLSearchParams(location.search)),
});

const here = makeStore(readLocation());
addEventListener("popstate", () => here.set(readLocation()));

/** @returns {{path: string, query: Object<string, string>}} */
export const useLocation = () => useStore(here);

/** An address from a path and a query; what is null, undefined or "" is left out. */
export function href(path, query = {}) {
  const kept = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  // Slashes, colons and commas are allowed in a query, and easier to read.
  const text = new URLSearchParams(kept).toString().replace(/%2F/g, "/").replace(/%3A/g, ":").replace(/%2C/g, ",");
  return text ? `${path}?${text}` : path;
}

/** A path from parts that may hold anything: path`/tasks/${id}`. */
export const path = (texts, ...values) =>
  texts.reduce((whole, text, index) => whole + encodeURIComponent(values[index - 1]) + text);

/** Go there. `replace` leaves no entry in the history: for what changes often, such as a text that is typed. */
export function navigate(address, { replace = false } = {}) {
  if (address === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  here.set(readLocation());
}

/** Change parts of the query, keep the others. */
export function setQuery(changes, { replace = true } = {}) {
  const { path: at, query } = readLocation();
  navigate(href(at, { ...query, ...changes }), { replace });
}

/** The first route that fits: "/tasks/:id" gives {id}. @returns {{route: any, params: Object} | null} */
export function match(routes, at) {
  const parts = at.split("/").filter(Boolean);
  for (const route of routes) {
    const wanted = route.path.split("/").filter(Boolean);
    if (wanted.length !== parts.length) continue;
    const params = {};
    const fits = wanted.every((name, index) => {
      if (!name.startsWith(":")) return name === parts[index];
      try {
        params[name.slice(1)] = decodeURIComponent(parts[index]);
      } catch {
        return false;
      }
      return true;
    });
    if (fits) return { route, params };
  }
  return null;
}

const isPlainClick = (event) =>
  !event.defaultPrevented && event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;

/** A link within the viewer. */
export function Link({ to, children, class: name, replace = false, ...rest }) {
  const go = (event) => {
    rest.onClick?.(event);
    if (!isPlainClick(event)) return;
    event.preventDefault();
    navigate(to, { replace });
  };
  return html`<a ...${rest} href=${to} class=${cx(name)} onClick=${go}>${children}</a>`;
}
