// One place to get what components are written with: `html` templates, hooks, and Preact's few functions.
import { Fragment, createContext, h, render } from "preact";
import htm from "htm";

export const html = htm.bind(h);
export { Fragment, createContext, h, render };
export {
  useCallback, useContext, useEffect, useErrorBoundary, useId, useImperativeHandle, useLayoutEffect, useMemo, useReducer, useRef, useState,
} from "preact/hooks";

/** Class names that hold: cx("a", isOn && "on") is "a on" or "a". */
export const cx = (...names) => names.filter(Boolean).join(" ");
