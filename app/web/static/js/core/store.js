// A value that several components look at: read it with `useStore`, change it with `set`.
import { useEffect, useState } from "./html.js";

/** @template T @param {T} initial */
export function makeStore(initial) {
  let value = initial;
  const listeners = new Set();
  return {
    get: () => value,
    set(next) {
      value = typeof next === "function" ? next(value) : next;
      for (const listener of [...listeners]) listener(value);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The store's value; the component is drawn again when it changes. */
export function useStore(store) {
  const [value, setValue] = useState(store.get());
  useEffect(() => {
    setValue(() => store.get()); // it may have changed between drawing and now
    return store.subscribe((next) => setValue(() => next));
  }, [store]);
  return value;
}
