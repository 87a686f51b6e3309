// The API: JSON in and out, errors as problems, pages by their cursors. Reading is kept by the browser's own cache,
// which knows ETags and that a commit never changes.
import { useCallback, useEffect, useRef, useState } from "./html.js";
import { announce } from "./announce.js";
import { whenBack } from "./away.js";
import { expireSession } from "./session.js";

const PATIENCE_MS = 4_000;

/** What the server refused, or that it can't be reached. `detail` says what would be right. */
export class Problem extends Error {
  constructor(document, retryAfter = null) {
    super(document.title);
    this.status = document.status;
    this.code = document.code;
    this.title = document.title;
    this.detail = document.detail ?? null;
    this.problems = document.problems ?? [];
    this.findings = document.findings ?? [];
    this.document = document;
    this.retryAfter = retryAfter;
  }
}

/** A problem from anything that was thrown. */
export function toProblem(error) {
  if (error instanceof Problem) return error;
  return new Problem({ status: 0, code: "fault", title: "the viewer failed here", detail: String(error?.message ?? error) });
}

/** The problem of a server that does not answer. */
export const away = (detail) => new Problem({ status: 0, code: "away", title: "the server can't be reached", detail });

/** Where that is the problem: ask again as soon as the server answers. */
export function useAgain(problem, again) {
  useEffect(() => (problem?.code === "away" ? whenBack(again) : undefined), [problem]);
}

function address(at, params) {
  const url = new URL(at, location.origin);
  for (const [name, value] of Object.entries(params ?? {})) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
  }
  return url;
}

/** `text` is a body that is JSON already; `asText`: the answer as it is written, whose numbers JSON.parse would change (1.0 to 1).
 * @returns {Promise<any>} the document, null where there is none. Throws Problem, or AbortError. */
export async function ask(method, at, { params, body, text, signal, headers, asText = false } = {}) {
  const options = { method, signal, headers: { Accept: "application/json", "X-StackVM": "viewer", ...headers } };
  if (body !== undefined || text !== undefined) {
    options.body = text ?? JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let response;
  let document = null;
  // A button that does nothing for long looks broken.
  const slow = method === "GET" ? null : setTimeout(() => announce("The server has not answered yet: still waiting"), PATIENCE_MS);
  try {
    response = await fetch(address(at, params), options);
    if (response.status === 204) return null;
    // What is no JSON is an error page of something between; where all is well it is an answer that broke off.
    if (response.ok && asText) return await response.text();
    document = response.ok ? await response.json() : await response.json().catch(() => null);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw away(method === "GET" ? "is it running? It is asked again every two seconds" : "is it running? Nothing is sent again by itself");
  } finally {
    clearTimeout(slow);
  }
  if (response.ok) return document;
  if (response.status === 401 && at !== "/api/session") expireSession();
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  throw new Problem(document ?? { status: response.status, code: "error", title: `the server answered ${response.status}` }, retryAfter);
}

export const get = (at, params, signal) => ask("GET", at, { params, signal });
export const post = (at, body = {}, params) => ask("POST", at, { body, params });
export const getText = (at, params) => ask("GET", at, { params, asText: true });
export const postText = (at, text) => ask("POST", at, { text });
export const put = (at, body = {}) => ask("PUT", at, { body });
export const patch = (at, body = {}) => ask("PATCH", at, { body });
export const del = (at, params) => ask("DELETE", at, { params });

/**
 * A document that a component shows. `at` null: nothing is asked. While another is on its way, the one before stays.
 * @returns {{data: any, problem: Problem | null, loading: boolean, reload: () => void}}
 */
export function useDocument(at, params = {}) {
  const key = at === null ? null : address(at, params).href;
  const [state, setState] = useState({ key: null, data: null, problem: null });
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (key === null) return undefined;
    const controller = new AbortController();
    get(key, {}, controller.signal).then(
      (data) => setState({ key, data, problem: null }),
      (error) => {
        if (error.name !== "AbortError") setState((before) => ({ key, data: before.key === key ? before.data : null, problem: toProblem(error) }));
      },
    );
    return () => controller.abort();
  }, [key, round]);
  const reload = useCallback(() => setRound((before) => before + 1), []);
  const isOurs = state.key === key;
  useAgain(isOurs ? state.problem : null, reload);
  return { data: state.data, problem: isOurs ? state.problem : null, loading: key !== null && !isOurs, reload };
}

/**
 * A list that comes in pages, the next one when it is wanted.
 * @returns {{items: any[], setItems: Function, more: () => void, done: boolean, loading: boolean, problem: Problem | null, reload: () => void}}
 */
export function usePages(at, params = {}, limit = 100) {
  const key = at === null ? null : address(at, { ...params, limit }).href;
  const [state, setState] = useState({ key: null, items: [], next: null, problem: null });
  const busy = useRef(null);
  const [round, setRound] = useState(0);

  const load = useCallback((cursor, before) => {
    if (key === null) return;
    busy.current?.abort();
    const controller = new AbortController();
    busy.current = controller;
    get(key, { cursor }, controller.signal).then(
      (page) => {
        busy.current = null;
        setState((now) => ({ key, items: [...(before ? now.items : []), ...page.items], next: page.next, problem: null }));
      },
      (error) => {
        if (error.name === "AbortError") return;
        busy.current = null;
        setState((now) => ({ ...now, key, items: now.key === key ? now.items : [], problem: toProblem(error) }));
      },
    );
  }, [key]);

  useEffect(() => {
    load(null, false);
    return () => busy.current?.abort();
  }, [load, round]);

  const isOurs = state.key === key;
  const reload = () => setRound((before) => before + 1);
  useAgain(isOurs ? state.problem : null, reload);
  const more = () => {
    if (isOurs && state.next !== null && busy.current === null && !state.problem) load(state.next, true);
  };
  const setItems = useCallback((change) => setState((now) => ({ ...now, items: change(now.items) })), []);
  return {
    items: state.items, setItems, more, done: isOurs && state.next === null, loading: !isOurs,
    problem: isOurs ? state.problem : null, reload,
  };
}
