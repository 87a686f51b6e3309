// Where something stands in the text of a JSON document: for marks of the checker, which names places by their path.

/** Skip a JSON value from `at`; gives where it ends. Texts that are no JSON end where they end. */
function skip(text, at, visit, path) {
  at = space(text, at);
  const from = at;
  if (text[at] === "{" || text[at] === "[") {
    const isList = text[at] === "[";
    at = space(text, at + 1);
    for (let index = 0; at < text.length && text[at] !== "}" && text[at] !== "]"; index++) {
      let key = index;
      if (!isList) {
        const end = string(text, at);
        try {
          key = JSON.parse(text.slice(at, end));
        } catch {
          return text.length;
        }
        at = space(text, end);
        if (text[at] !== ":") return text.length;
        at += 1;
      }
      const before = at;
      at = space(text, skip(text, at, visit, [...path, key]));
      if (text[at] === ",") at = space(text, at + 1);
      else if (at === before) return text.length;
      else if (text[at] !== "}" && text[at] !== "]") return text.length;
    }
    at += 1;
  } else if (text[at] === '"') at = string(text, at);
  else while (at < text.length && !/[\s,\]}]/.test(text[at])) at += 1;
  visit(path, from, Math.min(at, text.length));
  return at;
}

function space(text, at) {
  while (at < text.length && /\s/.test(text[at])) at += 1;
  return at;
}

function string(text, at) {
  for (at += 1; at < text.length && text[at] !== '"'; at++) if (text[at] === "\\") at += 1;
  return at + 1;
}

/** The place of every value: a map from the path, joined with "/", to {from, to}. */
export function placesOf(text) {
  const places = new Map();
  skip(text, 0, (path, from, to) => places.set(path.join("/"), { from, to }), []);
  return places;
}
