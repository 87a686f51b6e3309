// JSON as people set it out: what is short stays on its line, long lists of numbers fill theirs.
const WIDTH = 56;

const isSimple = (value) => value === null || typeof value !== "object";

function write(value, indent, room) {
  const line = JSON.stringify(value, null, 1).replace(/\n\s*/g, " ").replace(/([[{]) /g, "$1").replace(/ ([\]}])/g, "$1");
  // Within texts a line break is written \n, so nothing of theirs was touched but spaces beside brackets: look.
  const isSame = () => {
    try {
      return JSON.stringify(JSON.parse(line)) === JSON.stringify(value);
    } catch {
      return false;
    }
  };
  if (isSimple(value)) return JSON.stringify(value);
  if (line.length <= room && isSame()) return line;
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.length > 8 && value.every((each) => isSimple(each) && String(each).length < 24)) return `[\n${fill(value, inner)}\n${indent}]`;
    return `[\n${value.map((each) => inner + write(each, inner, WIDTH - inner.length)).join(",\n")}\n${indent}]`;
  }
  const members = Object.entries(value).map(([key, each]) => {
    const name = `${JSON.stringify(key)}: `;
    return inner + name + write(each, inner, WIDTH - inner.length - name.length);
  });
  return `{\n${members.join(",\n")}\n${indent}}`;
}

function fill(values, indent) {
  const lines = [];
  let line = "";
  for (const [index, each] of values.entries()) {
    const text = JSON.stringify(each) + (index < values.length - 1 ? "," : "");
    if (line && line.length + text.length + 1 > WIDTH - indent.length) {
      lines.push(indent + line);
      line = text;
    } else line = line ? `${line} ${text}` : text;
  }
  return [...lines, indent + line].join("\n");
}

/** @param {any} value @returns {string} JSON that reads as it was */
export const toText = (value) => write(value, "", WIDTH);

const FIRST = ["seq_no", "type", "description", "parameters"];

/** A plan with the keys of its steps in the order in which one reads them. */
export function ordered(plan) {
  const step = (each) => {
    const rest = Object.keys(each).filter((key) => !FIRST.includes(key));
    return Object.fromEntries([...FIRST.filter((key) => key in each), ...rest].map((key) => [key, each[key]]));
  };
  return { ...plan, steps: plan.steps.map(step) };
}
