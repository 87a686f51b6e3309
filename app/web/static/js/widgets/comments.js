// What people say about a proposal or about one step of it, and a box to say something.
import { html, useEffect, useRef, useState } from "../core/html.js";
import { toProblem } from "../core/api.js";
import { may } from "../core/session.js";
import { ProblemNote } from "./problem_note.js";
import { Ago } from "./time.js";

/** @param {{comments: any[]}} props oldest first */
export function CommentList({ comments }) {
  if (comments.length === 0) return null;
  return html`<ul class="comments">${comments.map((each) => html`<li key=${each.number}>
    <p class="comment-head"><strong>${each.author}</strong> <span class="quiet"><${Ago} ms=${each.created_ms} /></span></p><p class="comment-body">${each.body}</p></li>`)}</ul>`;
}

/** @param {{label: string, onSend: (text: string) => Promise<void>, onClose?: () => void, focused?: boolean}} props */
export function CommentBox({ label, onSend, onClose, focused = false }) {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const field = useRef(null);
  useEffect(() => {
    if (focused) field.current.focus();
  }, []);
  if (!may("operator")) return html`<p class="quiet">Your key may look, not comment.</p>`;
  const send = async (event) => {
    event?.preventDefault();
    if (!text.trim() || busy) return;
    setBusy(true);
    try {
      await onSend(text.trim());
      setText("");
      setProblem(null);
      onClose?.();
    } catch (error) {
      setProblem(toProblem(error));
    }
    setBusy(false);
  };
  const onKeyDown = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(event);
    else if (event.key === "Escape" && onClose && !text.trim()) onClose();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return html`<form class="comment-box" onSubmit=${send}>
    <label><span class="visually-hidden">${label}</span><textarea ref=${field} rows="2" maxlength="10000" placeholder=${label} value=${text} onInput=${(event) => setText(event.target.value)} onKeyDown=${onKeyDown}></textarea></label>
    <${ProblemNote} problem=${problem} />
    <div class="comment-actions"><button class="small primary" disabled=${busy || !text.trim()}>Comment</button>${onClose && html`<button type="button" class="small" onClick=${onClose}>Close</button>`}</div>
  </form>`;
}
