// What somebody types and has not sent: kept for the tab, so that it is there again after looking elsewhere.
import { useCallback, useRef, useState } from "./html.js";

const read = (at) => {
  try {
    return JSON.parse(sessionStorage.getItem(at));
  } catch {
    return null; // no storage, or what is there is not ours
  }
};

const write = (at, value) => {
  try {
    if (value === null) sessionStorage.removeItem(at);
    else sessionStorage.setItem(at, JSON.stringify(value));
  } catch {
    // A browser without storage, or one that is full, keeps no drafts: what is typed stays while the page does.
  }
};

/**
 * State that outlives the screen until it is dropped. The name may not change while the component is there.
 * @template {Object} T
 * @param {string} name of the draft @param {T} initial what stands there where nothing was typed
 * @returns {{value: T, change: (changes: Partial<T>) => void, isRestored: boolean, drop: () => void, round: number}}
 *   `isRestored`: it was left here earlier; `drop`: back to `initial`; `round` changes with it, for what has a state of its own
 */
export function useDraft(name, initial) {
  const at = `stackvm.draft.${name}`;
  const first = useRef(initial);
  const [state, setState] = useState(() => {
    const kept = read(at);
    return { value: { ...first.current, ...kept }, isRestored: kept !== null, round: 0 };
  });
  const latest = useRef(state.value);
  const change = useCallback((changes) => {
    latest.current = { ...latest.current, ...changes };
    const isSame = JSON.stringify(latest.current) === JSON.stringify(first.current);
    write(at, isSame ? null : latest.current);
    const value = latest.current;
    setState((now) => ({ ...now, value, isRestored: now.isRestored && !isSame }));
  }, [at]);
  const drop = useCallback(() => {
    latest.current = first.current;
    write(at, null);
    setState((now) => ({ value: first.current, isRestored: false, round: now.round + 1 }));
  }, [at]);
  return { ...state, change, drop };
}
