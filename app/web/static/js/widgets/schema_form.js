// A form for the arguments of a tool, made from its JSON schema. What has no field of its own is typed as JSON.
import { html } from "../core/html.js";

/** What a `$ref` into the schema's own definitions stands for. */
function resolve(schema, root) {
  const name = /^#\/\$defs\/(.+)$/.exec(schema?.$ref ?? "")?.[1];
  return name ? { ...root.$defs?.[name], ...schema } : schema ?? {};
}

/** A schema without its null: [schema, may be null]. */
function plain(schema, root) {
  const here = resolve(schema, root);
  if (here.anyOf) {
    const rest = here.anyOf.filter((each) => each.type !== "null");
    if (rest.length === 1) return [{ ...here, anyOf: undefined, ...resolve(rest[0], root) }, rest.length < here.anyOf.length];
  }
  return [here, false];
}

/** A type in words: "text", "list of text", "one of late, orders", "integer or null". */
export function typeOf(schema, root) {
  const [here, isNullable] = plain(schema, root);
  const names = { string: "text", object: here.title ?? "object", array: "list", null: "null" };
  let text = "any JSON";
  if (here.enum) text = `one of ${here.enum.map((each) => JSON.stringify(each)).join(", ")}`;
  else if (here.const !== undefined) text = JSON.stringify(here.const);
  else if (here.anyOf) text = here.anyOf.map((each) => typeOf(each, root)).join(" or ");
  else if (here.type === "array") text = here.items ? `list of ${typeOf(here.items, root)}` : "list";
  else if (here.type) text = [here.type].flat().map((each) => names[each] ?? each).join(" or ");
  return isNullable ? `${text} or null` : text;
}

/** How a field is typed: "text", "number", "choice", "yes", or "json". */
function kindOf(schema, root) {
  const [here, isNullable] = plain(schema, root);
  if (here.enum?.every((each) => typeof each === "string")) return "choice";
  if (here.type === "boolean") return "yes";
  if (["integer", "number"].includes(here.type)) return "number";
  if (here.type === "string" && !isNullable) return "text";
  return here.type === "string" ? "text" : "json";
}

const isPlainText = (value) => value === undefined || typeof value === "string";

/** The texts of the fields from arguments. */
export function textsOf(schema, values) {
  const texts = {};
  for (const [name, each] of Object.entries(schema.properties ?? {})) {
    const value = values[name];
    if (value === undefined) continue;
    texts[name] = ["text", "choice"].includes(kindOf(each, schema)) && isPlainText(value) ? value : JSON.stringify(value);
  }
  return texts;
}

/** The arguments from the texts of the fields. @returns {{values: Object, wrong: Object<string, string>}} */
export function valuesOf(schema, texts) {
  const [values, wrong] = [{}, {}];
  const required = new Set(schema.required ?? []);
  for (const [name, each] of Object.entries(schema.properties ?? {})) {
    const text = texts[name] ?? "";
    const kind = kindOf(each, schema);
    if (text === "") {
      if (required.has(name) && kind === "text") values[name] = "";
      else if (required.has(name)) wrong[name] = "is needed";
    } else if (kind === "text" || kind === "choice") values[name] = text;
    else {
      try {
        values[name] = JSON.parse(text);
      } catch {
        wrong[name] = kind === "number" ? "is no number" : "is no JSON";
      }
    }
  }
  return { values, wrong };
}

function Field({ name, schema, root, text, wrong, needed, onText }) {
  const kind = kindOf(schema, root);
  const [here] = plain(schema, root);
  const hint = schema.default === undefined || schema.default === null ? "" : kind === "text" ? schema.default : JSON.stringify(schema.default);
  const shared = { value: text, onInput: (event) => onText(event.target.value), "aria-invalid": wrong ? "true" : undefined, placeholder: hint };
  return html`<label class="field">
    <span class="label"><code>${name}</code> <span class="quiet">${typeOf(schema, root)}${needed ? "" : ", may be left out"}</span></span>
    ${kind === "choice" && html`<select value=${text} onChange=${(event) => onText(event.target.value)}><option value="">${needed ? "choose" : hint ? `${JSON.parse(hint)} (default)` : "left out"}</option>${here.enum.map((each) => html`<option value=${each}>${each}</option>`)}</select>`}
    ${kind === "yes" && html`<select value=${text} onChange=${(event) => onText(event.target.value)}><option value="">${needed ? "choose" : hint ? `${hint} (default)` : "left out"}</option><option value="true">true</option><option value="false">false</option></select>`}
    ${kind === "number" && html`<input inputmode=${here.type === "integer" ? "numeric" : "decimal"} ...${shared} />`}
    ${kind === "text" && html`<textarea rows=${text.includes("\n") || text.length > 80 ? 4 : 1} ...${shared}></textarea>`}
    ${kind === "json" && html`<textarea class="mono" rows=${text.includes("\n") ? 5 : 1} spellcheck="false" ...${shared} placeholder=${hint || "JSON"}></textarea>`}
    ${schema.description && html`<span class="quiet">${schema.description}</span>`}
    ${wrong && html`<span class="failed-text">${name} ${wrong}</span>`}
  </label>`;
}

/** @param {{schema: any, texts: Object<string, string>, onTexts: (texts: Object) => void, wrong: Object<string, string>}} props */
export function SchemaForm({ schema, texts, onTexts, wrong }) {
  const required = new Set(schema.required ?? []);
  const all = Object.entries(schema.properties ?? {});
  return html`<div class="schema-form">
    ${all.length === 0 && html`<p class="quiet">It takes no arguments.</p>`}
    ${all.map(([name, each]) => html`<${Field} key=${name} name=${name} schema=${each} root=${schema} text=${texts[name] ?? ""} wrong=${wrong[name]} needed=${required.has(name)}
      onText=${(text) => onTexts({ ...texts, [name]: text })} />`)}
  </div>`;
}
