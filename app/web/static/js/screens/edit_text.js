// The text of a plan that is being edited, and of one step within it: how the two hang together. Both are texts and stay so:
// what nobody typed is sent as the server gave it.
import { setOut } from "../core/json_text.js";
import { placesOf } from "../widgets/json_places.js";
import { placeOf } from "../widgets/findings.js";
import { PARAMETERS, STEP_KEYS } from "../widgets/step_parts.js";

const INDENT = "    ";

/** The document of a text; null where it is no plan. */
export function readPlan(text) {
  try {
    const document = JSON.parse(text);
    const plan = Array.isArray(document) ? { steps: document } : document;
    return Array.isArray(plan?.steps) && plan.steps.every((step) => step !== null && typeof step === "object") ? plan : null;
  } catch {
    return null;
  }
}

// Of a step, by the path within it. An assign's parameters are names of variables: those stay as they are.
const stepOrder = (path) => {
  if (path.length === 0) return STEP_KEYS;
  return path.length === 1 && path[0] === "parameters" ? PARAMETERS : null;
};

/** A plan's text that is easy to read. Throws SyntaxError for what is no JSON. */
export const tidyPlan = (text) => setOut(text, (path) => {
  if (path.length === 0) return ["version", "reasoning", "steps"];
  return stepOrder(path[0] === "steps" ? path.slice(2) : path.slice(1));
});

/** One step of it, by its place, to be edited alone: its text, and what stands before and after it. */
export function takeStep(text, index) {
  const places = placesOf(text);
  const { from, to } = places.get(`steps/${index}`) ?? places.get(String(index));
  return { before: text.slice(0, from), after: text.slice(to), stepText: setOut(text.slice(from, to), stepOrder) };
}

/** The plan's text with the step's put in as it stands, also where it is no JSON yet. */
export const putStep = ({ before, after }, stepText) => before + stepText.split("\n").join(`\n${INDENT}`) + after;

const numberOf = (stepText) => {
  try {
    return JSON.parse(stepText)?.seq_no ?? null;
  } catch {
    return null;
  }
};

/** Findings of the whole plan as they are about one step's text; the others are left out. */
export function findingsOfStep(findings, stepText, index, { before }) {
  const number = numberOf(stepText);
  const lines = before.split("\n");
  const height = stepText.split("\n").length;
  return findings.flatMap((finding) => {
    const position = /^line (\d+) column (\d+)$/.exec(finding.path);
    if (position) {
      const line = Number(position[1]) - lines.length + 1;
      const column = Math.max(1, Number(position[2]) - (line === 1 ? lines.at(-1).length : INDENT.length));
      return line >= 1 && line <= height ? [{ ...finding, path: `line ${line} column ${column}`, origin: finding }] : [];
    }
    const prefix = `steps[${index}]`;
    if (finding.path?.startsWith(prefix)) return [{ ...finding, path: finding.path.slice(prefix.length).replace(/^\./, ""), origin: finding }];
    return finding.step !== null && finding.step === number ? [{ ...finding, origin: finding }] : [];
  });
}

export const placeIn = (finding, stepText) => placeOf(finding, stepText, placesOf(stepText), new Map([[finding.step, []]]));

/** The marks of a step's text. */
export function stepMarks(findings, stepText) {
  return findings.map((finding) => {
    const { from, to } = placeIn(finding, stepText);
    const end = stepText.indexOf("\n", from);
    return { from, to: end < 0 ? to : Math.min(to, end), severity: finding.severity, message: finding.hint ? `${finding.message} (${finding.hint})` : finding.message };
  });
}
