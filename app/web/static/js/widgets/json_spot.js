// Where the cursor is in a JSON text, as completion needs it: in a key or a value, and the path that leads there. Reads the
// editor's own syntax tree, so that a text that is not whole yet will do.
import { syntaxTree } from "../../vendor/codemirror.js";

const VALUES = new Set(["Object", "Array", "String", "Number", "True", "False", "Null"]);
const isContainer = (node) => node.name === "Object" || node.name === "Array";
const textOf = (state, node) => state.doc.sliceString(node.from, node.to);

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text.replace(/^"|"$/g, "");
  }
}

function children(node) {
  const found = [];
  for (let child = node.firstChild; child; child = child.nextSibling) found.push(child);
  return found;
}

const nameOf = (state, property) => {
  const name = property.getChild("PropertyName");
  return name ? parse(textOf(state, name)) : "";
};
const valueOf = (property) => children(property).find((child) => VALUES.has(child.name)) ?? null;

/** The keys that an object has. */
export const keysIn = (state, object) => (object?.name === "Object" ? object.getChildren("Property").map((each) => nameOf(state, each)) : []);

/** The value node under a key; null where there is none. */
export function member(state, object, key) {
  if (object?.name !== "Object") return null;
  const property = object.getChildren("Property").find((each) => nameOf(state, each) === key);
  return property ? valueOf(property) : null;
}

/** A value as JSON; undefined where there is none. */
export const jsonOf = (state, node) => (node ? parse(textOf(state, node)) : undefined);

/** From the document down to a container: what each key leads to. */
function trailTo(state, container) {
  const trail = [];
  for (let node = container; node; ) {
    const parent = node.parent;
    if (parent?.name === "Property") {
      trail.unshift({ key: nameOf(state, parent), node });
      node = parent.parent;
    } else if (parent?.name === "Array") {
      trail.unshift({ key: children(parent).filter((each) => VALUES.has(each.name) && each.to <= node.from).length, node });
      node = parent;
    } else {
      trail.unshift({ key: null, node });
      break;
    }
  }
  return trail;
}

/**
 * @returns {{isKey: boolean, key: any, text: any, trail: {key: any, node: any}[]} | null} `trail` leads from the whole document
 *   (key null) to the object or list around the cursor, `key` is the place in it (of a key that is being written: null),
 *   `text` the node of the text that the cursor is in
 */
export function spotAt(state, at) {
  let node = syntaxTree(state).resolveInner(at, -1);
  const text = (node.name === "PropertyName" || node.name === "String") && at > node.from ? node : null;
  if (text?.name === "PropertyName") return { isKey: true, key: null, text, trail: trailTo(state, text.parent.parent) };
  if (text) {
    const holder = text.parent;
    if (holder.name === "Property") return { isKey: false, key: nameOf(state, holder), text, trail: trailTo(state, holder.parent) };
    if (holder.name === "Array") return { isKey: false, key: children(holder).filter((each) => VALUES.has(each.name) && each.to <= text.from).length, text, trail: trailTo(state, holder) };
    if (holder.name === "Object") return { isKey: true, key: null, text, trail: trailTo(state, holder) };
    return null;
  }
  while (node && !(isContainer(node) && at > node.from && (at < node.to || node.lastChild?.type.isError))) node = node.parent;
  if (!node) return null;
  const before = state.doc.sliceString(Math.max(node.from, at - 2_000), at);
  const trail = trailTo(state, node);
  if (node.name === "Array") return { isKey: false, key: children(node).filter((each) => VALUES.has(each.name) && each.to <= at).length, text: null, trail };
  const colon = /"((?:[^"\\]|\\.)*)"\s*:\s*[\w.-]*$/.exec(before);
  if (colon) return { isKey: false, key: parse(`"${colon[1]}"`), text: null, trail };
  return /[{,]\s*$/.test(before) ? { isKey: true, key: null, text: null, trail } : null;
}
