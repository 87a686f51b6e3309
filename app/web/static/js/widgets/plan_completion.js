// Completion in a plan: keys and types from the schema, tools and their arguments, steps to jump to, variables in scope.
import { post } from "../core/api.js";
import { STEP_KEYS, headOf } from "./step_parts.js";
import { jsonOf, keysIn, member, spotAt } from "./json_spot.js";

const JUMPS = new Set(["target_seq", "jump_if_true", "jump_if_false", "goto"]);

/** Where the step is that the cursor is in, and the keys that lead on from it. `null`: beside the steps. */
function stepOf(trail, isStep) {
  const keys = trail.slice(1).map((each) => each.key);
  const depth = isStep ? 0 : trail[0].node.name === "Array" ? 1 : keys[0] === "steps" ? 2 : null;
  if (depth === null || keys.length < depth) return null;
  return { node: trail[depth].node, keys: keys.slice(depth) };
}

/** Replaces the text that the cursor is in, or puts a value there. */
function insert(text, isKey) {
  return (view, _, from, to) => {
    const spot = spotAt(view.state, to);
    const [start, end] = spot?.text ? [spot.text.from, spot.text.to] : [from, to];
    const hasColon = /^\s*:/.test(view.state.doc.sliceString(end, end + 20));
    const whole = isKey && !hasColon ? `${text}: ` : text;
    view.dispatch({ changes: { from: start, to: end, insert: whole }, selection: { anchor: start + whole.length }, userEvent: "input.complete" });
  };
}

const keyOption = (name, info, detail) => ({ label: name, type: "property", info: info || undefined, detail, apply: insert(JSON.stringify(name), true) });
const valueOption = (value, more = {}) => ({ label: typeof value === "string" ? value : JSON.stringify(value), type: "constant", apply: insert(JSON.stringify(value), false), ...more });
const typeOf = (schema) => schema?.type ?? schema?.anyOf?.map((each) => each.type).filter(Boolean).join(" | ") ?? "";

function formsOf(schema, type) {
  return Object.values(schema?.$defs ?? {}).filter((form) => form.properties.type.enum[0] === type || type === undefined);
}

function propertiesAt(known, state, step, keys) {
  const parameters = member(state, step, "parameters");
  if (keys.length === 0) return Object.fromEntries(STEP_KEYS.map((key) => [key, formsOf(known.schema)[0]?.properties[key] ?? {}]));
  if (keys[0] !== "parameters") return {};
  if (keys[1] === "tool_params") return keys.length === 2 ? toolOf(known, state, parameters)?.parameters.properties ?? {} : {};
  const forms = formsOf(known.schema, jsonOf(state, member(state, step, "type")));
  const given = Object.assign({}, ...forms.map((form) => form.properties.parameters.properties ?? {}));
  if (keys.length === 1) return given;
  const inner = given[keys[1]];
  return [inner, ...(inner?.anyOf ?? [])].map((each) => each?.properties).find(Boolean) ?? {};
}

function toolOf(known, state, parameters) {
  const name = jsonOf(state, member(state, parameters, "tool_name"));
  return known.tools.find((tool) => tool.tool === name || tool.aliases.includes(name));
}

function keyOptions(known, state, spot, step) {
  const isRoot = !step || spot.trail.length === 1 && !known.isStep;
  const required = step?.keys[1] === "tool_params" ? toolOf(known, state, member(state, step.node, "parameters"))?.parameters.required ?? [] : [];
  const properties = isRoot && !known.isStep ? known.schema?.properties ?? {} : propertiesAt(known, state, step.node, step.keys);
  const there = new Set(keysIn(state, spot.trail.at(-1).node));
  return Object.entries(properties).filter(([name]) => !there.has(name))
    .map(([name, schema]) => ({ ...keyOption(name, schema.description, required.includes(name) ? `${typeOf(schema)}, needed` : typeOf(schema)), boost: required.includes(name) ? 1 : 0 }));
}

function valueOptions(known, state, spot, step) {
  const place = [...step.keys, spot.key];
  const parameters = member(state, step.node, "parameters");
  if (place.length === 1 && place[0] === "type") {
    const types = new Map(formsOf(known.schema).map((form) => [form.properties.type.enum[0], form.properties.type.description]));
    return [...types].map(([type, info]) => valueOption(type, { info }));
  }
  if (place[0] !== "parameters") return [];
  if (place[1] === "tool_name") return known.tools.map((tool) => valueOption(tool.tool, { type: "function", detail: tool.effect, info: tool.description }));
  if (JUMPS.has(place.at(-1))) {
    return known.steps().map((each) => valueOption(each.seq_no, { detail: `${headOf(each).verb} ${headOf(each).what}`.slice(0, 60), type: "enum" }));
  }
  if (place.length === 2 && place[1] === "on_error") return [valueOption("fail"), valueOption("continue"), { label: "goto", detail: "another step", apply: insert('{"goto": }', false) }];
  if (place[1] !== "tool_params" || place.length !== 3) return [];
  const schema = toolOf(known, state, parameters)?.parameters.properties?.[place[2]];
  const fixed = schema?.enum ?? (schema?.type === "boolean" ? [true, false] : []);
  return [...fixed, ...("default" in (schema ?? {}) && !fixed.includes(schema.default) ? [schema.default] : [])].map((value) => valueOption(value, { detail: value === schema.default ? "default" : undefined }));
}

const scopes = new Map();

/** The variables that a step may read, as the checker sees it. */
async function scopeOf(known, seq_no) {
  const text = known.text();
  const key = JSON.stringify([text, known.namespace, seq_no]);
  if (!scopes.has(key)) {
    const found = await post("/api/plans/check", { text, step: seq_no, ...(known.namespace && { namespace: known.namespace }) }).catch(() => null);
    if (!found?.scope) return known.lastScope ?? []; // as it was when the text last was a plan
    scopes.clear();
    scopes.set(key, found.scope);
  }
  known.lastScope = scopes.get(key);
  return known.lastScope;
}

function variableOption(each, isReference) {
  const by = each.set_by ? `step ${each.set_by.slice(0, 4).join(", ")}${each.set_by.length > 4 ? ", …" : ""}` : "of this item";
  const apply = (view, _, from, to) => {
    const closes = isReference && view.state.doc.sliceString(to, to + 1) !== "}" ? "}" : "";
    const after = isReference && !closes ? 1 : 0;
    view.dispatch({ changes: { from, to, insert: each.name + closes }, selection: { anchor: from + each.name.length + closes.length + after }, userEvent: "input.complete" });
  };
  return { label: each.name, type: "variable", detail: each.always === false ? `${by}, not on every path` : by, apply };
}

async function variableOptions(context, known, spot, step) {
  const text = context.state.doc.sliceString(spot.text.from, context.pos);
  const inReference = /\$\{\{?\s*([A-Za-z_]\w*)?$/.exec(text);
  const inExpression = /\$\{\{[^}]*?([A-Za-z_]\w*)$/.exec(text);
  const isCondition = step.keys[0] === "parameters" && spot.key === "condition";
  const word = inReference?.[1] ?? inExpression?.[1] ?? (isCondition && !inReference ? /[A-Za-z_]\w*$/.exec(text)?.[0] : undefined);
  if (!inReference && !inExpression && !(isCondition && (word || context.explicit))) return null;
  const seq_no = jsonOf(context.state, member(context.state, step.node, "seq_no"));
  if (!Number.isInteger(seq_no)) return null;
  const found = await scopeOf(known, seq_no);
  const hasItems = step.keys[1] === "tool_params" && member(context.state, member(context.state, step.node, "parameters"), "for_each");
  const isReference = Boolean(inReference) && !text.includes("${{");
  const all = hasItems ? [{ name: "item" }, { name: "index" }, ...found] : found;
  return { from: context.pos - (word?.length ?? 0), options: all.map((each) => variableOption(each, isReference)), validFor: /^\w*$/ };
}

/**
 * A completion source for CodeMirror.
 * @param {{current: {schema: any, tools: any[], namespace: string | null, isStep: boolean, text: () => string, steps: () => any[]}}} holder
 *   `isStep`: the document is one step; `text` and `steps` are those of the whole plan
 */
export const completePlan = (holder) => async (context) => {
  const known = holder.current;
  const spot = spotAt(context.state, context.pos);
  if (!spot) return null;
  const step = stepOf(spot.trail, known.isStep);
  if (!spot.isKey && spot.text && step) {
    const found = await variableOptions(context, known, spot, step);
    if (found) return found;
  }
  const word = spot.text ? context.pos - spot.text.from - 1 : /[\w.-]*$/.exec(context.state.doc.sliceString(Math.max(0, context.pos - 60), context.pos))[0].length;
  if (!spot.text && word === 0 && !context.explicit) return null;
  const options = spot.isKey ? keyOptions(known, context.state, spot, step) : step ? valueOptions(known, context.state, spot, step) : [];
  return options.length > 0 ? { from: context.pos - word, options, validFor: /^[\w.-]*$/ } : null;
};
