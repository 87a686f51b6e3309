// Patterns of tool names as the server reads them: * any text, ? one character, [abc] or [!abc] one of some.

export const isPattern = (text) => /[*?[]/.test(text);

/** @param {string} pattern @returns {RegExp} which fits whole names */
export function toRegExp(pattern) {
  let text = "";
  for (let at = 0; at < pattern.length; at++) {
    const end = pattern[at] === "[" ? pattern.indexOf("]", at + 2) : -1;
    if (pattern[at] === "*") text += ".*";
    else if (pattern[at] === "?") text += ".";
    else if (end > 0) {
      const inside = pattern.slice(at + 1, end).replace(/[\\\]^]/g, "\\$&").replace(/^!/, "^");
      text += `[${inside}]`;
      at = end;
    } else text += pattern[at].replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  }
  try {
    return new RegExp(`^${text}$`, "s");
  } catch {
    return /^(?!)/; // a range that makes no sense fits nothing
  }
}
