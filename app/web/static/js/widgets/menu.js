// A button that opens a short list of actions. Arrow keys go through them, Escape closes.
import { html, useEffect, useRef, useState } from "../core/html.js";

/** @param {{label: any, title?: string, items: {label: any, run: () => void, disabled?: boolean}[], class?: string}} props */
export function Menu({ label, title, items, class: name = "" }) {
  const [isOpen, setOpen] = useState(false);
  const box = useRef(null);
  useEffect(() => {
    if (!isOpen) return undefined;
    box.current.querySelector("[role=menuitem]:not(:disabled)")?.focus();
    const outside = (event) => !box.current?.contains(event.target) && setOpen(false);
    addEventListener("pointerdown", outside);
    return () => removeEventListener("pointerdown", outside);
  }, [isOpen]);
  const close = () => {
    setOpen(false);
    box.current.querySelector("button").focus();
  };
  const onKeyDown = (event) => {
    if (!isOpen) return;
    const all = [...box.current.querySelectorAll("[role=menuitem]:not(:disabled)")];
    const at = all.indexOf(document.activeElement);
    if (event.key === "Escape") close();
    else if (event.key === "ArrowDown") all[(at + 1) % all.length]?.focus();
    else if (event.key === "ArrowUp") all[(at - 1 + all.length) % all.length]?.focus();
    else return;
    event.preventDefault();
  };
  return html`<div class="menu" ref=${box} onKeyDown=${onKeyDown}>
    <button type="button" class=${name} aria-haspopup="menu" aria-expanded=${isOpen} aria-label=${title} title=${title} onClick=${() => setOpen(!isOpen)}>${label}</button>
    ${isOpen && html`<div class="menu-list" role="menu">
      ${items.map((item) => html`<button type="button" role="menuitem" disabled=${item.disabled} onClick=${() => { close(); item.run(); }}>${item.label}</button>`)}
    </div>`}
  </div>`;
}
