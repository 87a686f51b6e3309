"use strict";
// Reads the OpenAPI document and shows it; everything is set as text, nothing as HTML.

const METHODS = ["get", "post", "put", "patch", "delete"];
const place = document.getElementById("operations");
let description = {};

function element(name, content, ...inside) {
  const made = document.createElement(name);
  if (content !== undefined && content !== null) made.textContent = content;
  made.append(...inside);
  return made;
}

function headers() {
  const key = document.getElementById("key").value.trim();
  return key ? { Authorization: `Bearer ${key}` } : {};
}

// A schema with what it refers to put in its place; a schema within itself is named only.
function resolved(schema, seen = []) {
  if (Array.isArray(schema)) return schema.map((each) => resolved(each, seen));
  if (schema === null || typeof schema !== "object") return schema;
  if (typeof schema.$ref === "string") {
    const name = schema.$ref.replace("#/components/schemas/", "");
    const found = (description.components?.schemas ?? {})[name];
    return found === undefined || seen.includes(name) ? { $ref: name } : resolved(found, [...seen, name]);
  }
  return Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, resolved(value, seen)]));
}

function typeOf(schema = {}) {
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
  return schema.type ?? "any";
}

function schemaOf(content) {
  const [kind, told] = Object.entries(content ?? {})[0] ?? [];
  return kind ? `${kind}\n${JSON.stringify(resolved(told.schema ?? {}), null, 2)}` : "nothing";
}

function parameterRows(operation) {
  const table = element("table");
  for (const each of operation.parameters ?? []) {
    const input = element("input");
    input.name = each.name;
    input.dataset.where = each.in;
    input.setAttribute("aria-label", each.name);
    const about = `${each.in}, ${typeOf(each.schema)}${each.required ? ", required" : ""}`;
    const told = element("td", each.description ?? each.schema?.description ?? "");
    table.append(element("tr", null, element("th", each.name), element("td", about), told, element("td", null, input)));
  }
  return table;
}

async function ask(method, path, form, answer) {
  let address = path;
  const query = new URLSearchParams();
  for (const input of form.querySelectorAll("input[data-where]")) {
    if (input.dataset.where === "path") address = address.replace(`{${input.name}}`, encodeURIComponent(input.value));
    else if (input.dataset.where === "query" && input.value !== "") query.append(input.name, input.value);
  }
  const body = form.querySelector("textarea");
  const asked = { method: method.toUpperCase(), headers: headers() };
  if (body) {
    asked.headers["Content-Type"] = "application/json";
    asked.body = body.value || "{}";
  }
  answer.textContent = "…";
  try {
    const response = await fetch(address + (query.size ? `?${query}` : ""), asked);
    const text = await response.text();
    let shown = text;
    try {
      shown = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // no JSON: as it is
    }
    answer.textContent = `${response.status} ${response.statusText}\n${shown}`;
  } catch (error) {
    answer.textContent = String(error);
  }
}

function filled(operation, method, path) {
  const inside = element("div", null, element("p", operation.description ?? ""), parameterRows(operation));
  if (operation.requestBody) {
    const body = element("textarea");
    body.setAttribute("aria-label", "body");
    body.value = "{}";
    inside.append(element("h4", "Body"), element("pre", schemaOf(operation.requestBody.content)), body);
  }
  const answers = element("table");
  for (const [status, told] of Object.entries(operation.responses ?? {})) {
    const schema = element("details", null, element("summary", told.description ?? ""));
    schema.append(element("pre", schemaOf(told.content)));
    answers.append(element("tr", null, element("th", status), element("td", null, schema)));
  }
  const answer = element("pre", "");
  const isStream = "text/event-stream" in (operation.responses?.["200"]?.content ?? {});
  if (!isStream) {
    const send = element("button", "Send");
    send.type = "button";
    send.addEventListener("click", () => ask(method, path, inside, answer));
    inside.append(element("p", null, send));
  }
  inside.append(answer, element("h4", "Answers"), answers);
  return inside;
}

function operationOf(path, method, operation) {
  const name = element("summary", null, element("span", method), element("code", path), ` ${operation.summary ?? ""}`);
  name.firstChild.className = "method";
  const about = element("span", ` ${operation.operationId ?? ""}`);
  about.className = "about";
  name.append(about);
  const whole = element("details", null, name);
  whole.dataset.text = `${method} ${path} ${operation.operationId} ${operation.summary}`.toLowerCase();
  whole.addEventListener("toggle", () => {
    if (whole.open && whole.children.length === 1) whole.append(filled(operation, method, path));
  });
  return whole;
}

function show() {
  const groups = new Map();
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const method of METHODS) {
      const operation = methods[method];
      if (!operation) continue;
      const tag = operation.tags?.[0] ?? "others";
      if (!groups.has(tag)) groups.set(tag, element("section", null, element("h2", tag)));
      groups.get(tag).append(operationOf(path, method, operation));
    }
  }
  place.replaceChildren(...groups.values());
}

async function read() {
  const response = await fetch("/api/openapi.json", { headers: headers() });
  if (!response.ok) {
    const told = response.status === 401 ? "Give an API key above: this server has keys." : `It answered ${response.status}.`;
    const line = element("p", told);
    line.className = "wrong";
    place.replaceChildren(line);
    return;
  }
  description = await response.json();
  show();
}

document.getElementById("key").addEventListener("change", read);
document.getElementById("find").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  for (const each of place.querySelectorAll("details[data-text]")) each.hidden = !each.dataset.text.includes(wanted);
});
read();
