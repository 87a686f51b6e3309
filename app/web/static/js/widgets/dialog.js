// A dialog of the browser's own: it keeps the focus, Escape closes it.
import { html, useEffect, useId, useRef } from "../core/html.js";
import { Icon } from "./icon.js";

/** @param {{title: string, onClose: () => void, children: any, wide?: boolean}} props shown as long as it is there */
export function Dialog({ title, onClose, children, wide = false }) {
  const element = useRef(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    element.current.showModal();
    return () => before?.focus?.();
  }, []);
  const onClick = (event) => event.target === element.current && onClose(); // beside it
  const onCancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${element} class=${wide ? "dialog dialog-wide" : "dialog"} aria-labelledby=${id} onCancel=${onCancel} onClick=${onClick}>
    <div class="dialog-body">
      <header><h2 id=${id}>${title}</h2><button type="button" class="bare" onClick=${onClose} aria-label="Close"><${Icon} name="close" /></button></header>
      ${children}
    </div>
  </dialog>`;
}
