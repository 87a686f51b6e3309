// JSON as text that is set out anew without touching its numbers: a browser's JSON.parse makes 1.0 to 1, and to the machine
// those are two values.

/** A tree of the text: `{open, parts}` for objects and lists, texts for the rest. Throws SyntaxError as JSON.parse does. */
function read(text) {
  JSON.parse(text);
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g);
  let at = 0;
  const value = () => {
    const token = tokens[at++];
    if (token !== "{" && token !== "[") return token;
    const end = token === "{" ? "}" : "]";
    const parts = [];
    while (tokens[at] !== end) {
      if (tokens[at] === ",") at += 1;
      if (token === "[") parts.push({ key: null, value: value() });
      else {
        const key = tokens[at];
        at += 2; // and its colon
        parts.push({ key, value: value() });
      }
    }
    at += 1;
    return { open: token, parts };
  };
  return value();
}

function write(node, indent) {
  if (typeof node === "string") return node;
  const close = node.open === "{" ? "}" : "]";
  if (node.parts.length === 0) return node.open + close;
  const deeper = `${indent}  `;
  return `${node.open}\n${node.parts.map(({ key, value }) => `${deeper}${key === null ? "" : `${key}: `}${write(value, deeper)}`).join(",\n")}\n${indent}${close}`;
}

const ranked = (parts, order) => {
  const rank = ({ key }) => (order.includes(JSON.parse(key)) ? order.indexOf(JSON.parse(key)) : order.length);
  return [...parts].sort((a, b) => rank(a) - rank(b));
};

/**
 * @param {string} text of any JSON
 * @param {(path: string[], text: string) => string[] | null} orderOf keys of an object that come first, in their order; `path` leads there
 * @returns {string} the same values, set out
 */
export function setOut(text, orderOf = () => null) {
  const arrange = (node, path) => {
    if (typeof node === "string") return node;
    const parts = node.parts.map(({ key, value }, index) => ({ key, value: arrange(value, [...path, key === null ? String(index) : JSON.parse(key)]) }));
    const order = node.open === "{" ? orderOf(path, node) : null;
    return { open: node.open, parts: order ? ranked(parts, order) : parts };
  };
  return write(arrange(read(text), []), "");
}
