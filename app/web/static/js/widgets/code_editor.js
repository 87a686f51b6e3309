// CodeMirror for JSON: the text is ours to hear of, marks come from outside (the checker), completion too.
import { html, useEffect, useLayoutEffect, useRef } from "../core/html.js";
import * as cm from "../../vendor/codemirror.js";

const { EditorState, EditorView, tags } = cm;
const nonce = document.querySelector("meta[name=style-nonce]")?.content ?? "";

const colours = cm.HighlightStyle.define([
  { tag: tags.propertyName, color: "var(--code-key)" },
  { tag: tags.string, color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: tags.invalid, color: "var(--failed)" },
]);

// Ctrl+Enter belongs to the page: it submits.
const ofEditing = cm.defaultKeymap.filter((binding) => binding.key !== "Mod-Enter");

const look = EditorView.theme({
  "&": { fontSize: "12.5px", backgroundColor: "var(--ground)", color: "var(--text)", height: "100%" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-gutters": { backgroundColor: "var(--ground)", color: "var(--text-3)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--selection) !important" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--text)", border: "1px solid var(--line)" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-placeholder": { color: "var(--text-2)" },
  ".cm-panels": { backgroundColor: "var(--bar)", color: "var(--text)" },
  "&.cm-focused": { outline: "none" }, // the box around it has one
});

const OUTSIDE = "input.outside";
const MOST_TOLD = 200;

function extensions({ label, readOnly, holder, told, completions, placeholder, extra }) {
  return [
    cm.lineNumbers(), cm.history(), cm.drawSelection(), cm.indentOnInput(), cm.bracketMatching(), cm.closeBrackets(),
    cm.highlightActiveLine(), cm.foldGutter(), cm.lintGutter(), cm.search(), cm.json(), cm.syntaxHighlighting(colours), look,
    cm.autocompletion(completions ? { override: completions } : {}),
    // No Tab: it goes on to what comes next, as everywhere on the page.
    cm.keymap.of([...cm.closeBracketsKeymap, ...ofEditing, ...cm.searchKeymap, ...cm.historyKeymap, ...cm.foldKeymap, ...cm.completionKeymap, ...cm.lintKeymap]),
    EditorView.cspNonce.of(nonce), EditorView.contentAttributes.of({ "aria-label": label }), EditorView.lineWrapping,
    EditorState.readOnly.of(Boolean(readOnly)),
    placeholder ? cm.placeholder(placeholder) : [],
    EditorView.updateListener.of((update) => {
      if (!update.docChanged || update.transactions.some((each) => each.isUserEvent(OUTSIDE))) return;
      const text = update.state.doc.toString();
      told.current = [...told.current.slice(-MOST_TOLD), text];
      holder.current.onChange?.(text);
    }),
    extra ?? [],
  ];
}

/**
 * @param {{
 *   value: string, onChange?: (text: string) => void, label: string, readOnly?: boolean, placeholder?: string,
 *   marks?: {from: number, to: number, severity: "error" | "warning" | "info", message: string}[],
 *   completions?: Function[], extra?: any, handle?: {current: any},
 * }} props `completions` are CodeMirror's completion sources, `extra` more extensions; both are read once
 */
export function CodeEditor({ value, onChange, label, readOnly, placeholder, marks = [], completions, extra, handle }) {
  const box = useRef(null);
  const view = useRef(null);
  const holder = useRef({});
  holder.current = { onChange };
  const told = useRef([]); // what was typed and has not come back as `value` yet

  useLayoutEffect(() => {
    const state = EditorState.create({ doc: value, extensions: extensions({ label, readOnly, holder, told, completions, placeholder, extra }) });
    view.current = new EditorView({ state, parent: box.current });
    if (handle) handle.current = view.current;
    return () => view.current.destroy();
  }, []);

  useEffect(() => {
    // An echo of what was typed may come late, when more was typed already: it changes nothing.
    const echo = told.current.lastIndexOf(value);
    if (echo >= 0) {
      told.current = told.current.slice(echo + 1);
      return;
    }
    const now = view.current.state.doc.toString();
    told.current = [];
    if (value !== now) view.current.dispatch({ changes: { from: 0, to: now.length, insert: value }, userEvent: OUTSIDE });
  }, [value]);

  useEffect(() => {
    const length = view.current.state.doc.length;
    const kept = marks.map((mark) => ({ ...mark, from: Math.min(mark.from, length), to: Math.min(Math.max(mark.to, mark.from), length) }));
    view.current.dispatch(cm.setDiagnostics(view.current.state, kept));
  }, [marks]);

  return html`<div class="code-editor" ref=${box}></div>`;
}
