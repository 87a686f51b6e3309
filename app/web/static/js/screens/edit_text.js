// The text of a plan that is being edited, and of one step within it: how the two hang together.
import { placesOf } from "../widgets/json_places.js";
import { inOrder } from "../widgets/step_parts.js";
import { marksOf, placeOf } from "../widgets/findings.js";

export const tidy = (value) => JSON.stringify(value, null, 2);

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

/** A plan's text that is easy to read. */
export const planText = ({ version, reasoning, steps, ...rest }) => tidy({ ...(version !== undefined && { version }), ...(reasoning !== undefined && { reasoning }), ...rest, steps: steps.map(inOrder) });

/** The plan's text with one step's put in as it stands, also where it is no JSON yet; and the lines that stand before it. */
export function composeStep(plan, index, stepText) {
  const { steps, ...rest } = plan;
  const head = JSON.stringify(rest).slice(0, -1);
  const before = [`${head}${head === "{" ? "" : ","}"steps":[`, ...steps.slice(0, index).map((step) => `${JSON.stringify(step)},`)];
  const after = steps.slice(index + 1).map((step) => `,${JSON.stringify(step)}`);
  return { text: [...before, stepText, ...after, "]}"].join("\n"), lines: before.length };
}

const numberOf = (stepText) => {
  try {
    return JSON.parse(stepText)?.seq_no ?? null;
  } catch {
    return null;
  }
};

/** Findings of the whole plan as they are about one step's text; the others are left out. */
export function findingsOfStep(findings, stepText, index, lines) {
  const number = numberOf(stepText);
  const height = stepText.split("\n").length;
  return findings.flatMap((finding) => {
    const position = /^line (\d+) column (\d+)$/.exec(finding.path);
    if (position) {
      const line = Number(position[1]) - lines;
      return line >= 1 && line <= height ? [{ ...finding, path: `line ${line} column ${position[2]}`, origin: finding }] : [];
    }
    const prefix = `steps[${index}]`;
    if (finding.path?.startsWith(prefix)) return [{ ...finding, path: finding.path.slice(prefix.length).replace(/^\./, ""), origin: finding }];
    return finding.step !== null && finding.step === number ? [{ ...finding, origin: finding }] : [];
  });
}

const placeIn = (finding, text) => placeOf(finding, text, placesOf(text), new Map([[finding.step, []]]));

/** The marks of a step's text. */
export function stepMarks(findings, stepText) {
  return findings.map((finding) => {
    const { from, to } = placeIn(finding, stepText);
    const end = stepText.indexOf("\n", from);
    return { from, to: end < 0 ? to : Math.min(to, end), severity: finding.severity, message: finding.hint ? `${finding.message} (${finding.hint})` : finding.message };
  });
}

export { marksOf, placeIn };
