// Markdown as it is meant to look. The libraries are asked for when the first text is to be shown.
import { html, useEffect, useState } from "../core/html.js";

/** Whether a text looks as if it was written as markdown. */
export const looksLikeMarkdown = (text) =>
  /^#{1,6} \S|^\s*[-*+] \S|^\s*\d+\. \S|\*\*\S[^*]*\*\*|^```|^\|.*\|\s*$|\[[^\]]+\]\(https?:/m.test(text);

let writer = null;

/** @param {{text: string}} props */
export function Markdown({ text }) {
  const [, drawn] = useState(0);
  useEffect(() => {
    if (writer) return;
    import("./markdown.js").then((module) => {
      writer = module.toHtml;
      drawn(1);
    });
  }, []);
  if (!writer) return html`<pre class="text-value">${text}</pre>`;
  return html`<${Written} text=${text} key=${text} />`;
}

function Written({ text }) {
  const [clean] = useState(() => writer(text));
  return html`<div class="markdown" dangerouslySetInnerHTML=${{ __html: clean }} />`;
}
