// A step of a plan as lines that people read: what it does in one line, and each of its fields with a path.

/** Keys of a path such as `parameters.tool_params["odd key"][3]`. */
export const keysOf = (path) =>
  [...(path ?? "").matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)].map(([, quoted, index, name]) => quoted ?? index ?? name);

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const names = (outputs) => {
  if (typeof outputs === "string") return [outputs];
  return Array.isArray(outputs) ? outputs : Object.keys(outputs ?? {}).sort();
};
const listed = (all) => all.slice(0, 6).join(", ") + (all.length > 6 ? ` and ${all.length - 6} more` : "");
const short = (value) => (typeof value === "string" ? value : JSON.stringify(value)) ?? "";

/** What a step does: `verb`, and what of. Of a step that is not whole yet, as much as is there. */
export function headOf(step) {
  const given = isObject(step?.parameters) ? step.parameters : {};
  if (step?.type === "assign") return { verb: "set", what: listed(Object.keys(given).sort()) };
  if (step?.type === "calling") {
    const outputs = names(given.output_vars);
    const many = given.for_each === undefined || given.for_each === null ? "" : " for each";
    return { verb: "call", what: `${short(given.tool_name)}${many}${outputs.length > 0 ? ` → ${listed(outputs)}` : ""}` };
  }
  if (step?.type === "jmp") {
    if (given.target_seq !== undefined && given.target_seq !== null) return { verb: "go to", what: String(given.target_seq) };
    const otherwise = given.jump_if_false === undefined || given.jump_if_false === null ? "" : `, else ${given.jump_if_false}`;
    return { verb: given.condition_prompt ? "ask" : "if", what: `${short(given.condition_prompt ?? given.condition)} → ${short(given.jump_if_true)}${otherwise}` };
  }
  if (step?.type === "reasoning") return { verb: "note", what: short(Object.values(given)[0]).slice(0, 160) };
  return { verb: short(step?.type), what: "" };
}

/** How a value is written: texts of several lines as they are, the rest as JSON. */
export function textOf(value) {
  if (value === undefined) return "";
  if (typeof value === "string") return value.includes("\n") ? value : JSON.stringify(value);
  const line = JSON.stringify(value);
  return line.length <= 72 ? line : JSON.stringify(value, null, 2);
}

export const STEP_KEYS = ["seq_no", "type", "description", "parameters"];
export const PARAMETERS = ["tool_name", "for_each", "tool_params", "output_vars", "condition", "condition_prompt", "context", "target_seq", "jump_if_true", "jump_if_false"];
const sorted = (object, order) => Object.fromEntries([...new Set([...order.filter((key) => key in object), ...Object.keys(object)])].map((key) => [key, object[key]]));

/** The step with its keys in the order in which people write them: histories keep them by the alphabet. */
const inOrder = (step) => (isObject(step) ? sorted(isObject(step.parameters) && step.type !== "assign" ? { ...step, parameters: sorted(step.parameters, PARAMETERS) } : step, STEP_KEYS) : step);

/** Every field: objects are gone into, lists are one field. @returns {{path: string[], value: any}[]} */
export function fieldsOf(step) {
  const found = [];
  const visit = (path, value) => {
    if (isObject(value) && Object.keys(value).length > 0 && path.length < 6) {
      for (const [key, part] of Object.entries(value)) visit([...path, key], part);
    } else if (value !== undefined && value !== null) found.push({ path, value });
  };
  if (step?.description) found.push({ path: ["description"], value: step.description });
  visit(["parameters"], inOrder(step)?.parameters);
  return found;
}

/** What a field is called: the parameters' own names, without what is the same for all. */
export const labelOf = (path) => (path[0] === "parameters" ? path.slice(1) : path).filter((key) => key !== "tool_params").join(".") || "parameters";

const leads = (one, other) => one.length <= other.length && one.every((key, at) => key === other[at]);

/**
 * The fields of two steps side by side, the left one's order first.
 * @param {{path: string}[]} changes as the server tells them: what only names another number of the same step is none
 * @returns {{key: string, label: string, left: any, right: any, differs: boolean}[]}
 */
export function pairFields(left, right, changes) {
  const changed = changes.map((change) => keysOf(change.path));
  const pairs = new Map();
  for (const [side, step] of [["left", left], ["right", right]]) {
    for (const { path, value } of fieldsOf(step)) {
      const key = path.join("\u0000");
      const pair = pairs.get(key) ?? { key, label: labelOf(path), path, left: undefined, right: undefined };
      pair[side] = value;
      pairs.set(key, pair);
    }
  }
  const alone = !left || !right;
  return [...pairs.values()].map((pair) => ({
    ...pair, differs: alone || changed.some((keys) => leads(keys, pair.path) || leads(pair.path, keys)),
  }));
}
