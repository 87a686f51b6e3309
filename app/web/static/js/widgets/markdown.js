// Clean HTML of markdown from outside: written by marked, cleaned by DOMPurify; links open elsewhere and lead only to http(s).
// What is not let through is shown as the text that it is, before anything parses it: nobody should wonder what is missing.
import { Marked } from "../../vendor/marked.esm.js";
import DOMPurify from "../../vendor/purify.es.mjs";

const marked = new Marked({ gfm: true, breaks: false, async: false });
const escape = (text) => text.replace(/[&<>"]/g, (each) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[each]);
const PLAIN = /^<\/?(?:b|br|code|del|em|i|strong|sub|sup)\s*\/?>$/i;
marked.use({
  renderer: {
    html: ({ text, block }) => (PLAIN.test(text.trim()) ? text : block ? `<p>${escape(text)}</p>` : escape(text)),
    image: ({ text, href }) => escape(text || href),
    link({ href, tokens }) {
      return /^https?:/i.test(href) ? false : this.parser.parseInline(tokens);
    },
  },
});
const RULES = {
  ALLOWED_TAGS: [
    "a", "b", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "li", "ol", "p", "pre",
    "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul",
  ],
  ALLOWED_ATTR: ["href", "title", "align", "start"],
  ALLOWED_URI_REGEXP: /^https?:/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
};
const purifier = DOMPurify(window);
purifier.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName !== "A") return;
  node.setAttribute("rel", "noopener noreferrer nofollow");
  node.setAttribute("target", "_blank");
});

/** Clean HTML of a markdown text. */
export const toHtml = (text) => purifier.sanitize(marked.parse(text), RULES);
