// Figures as people read them. What is short here has the whole in its title.
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "narrow" });
const absolute = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });
const whole = new Intl.NumberFormat("en");
const UNITS = [["year", 31_536_000], ["month", 2_592_000], ["week", 604_800], ["day", 86_400], ["hour", 3_600], ["minute", 60]];

export const DASH = "–";
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** "now", "3 min ago". @param {number} ms since the epoch */
export function ago(ms, now = Date.now()) {
  const seconds = Math.round((ms - now) / 1000);
  if (Math.abs(seconds) < 5) return "now";
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return relative.format(seconds, "second");
}

/** @param {number} ms since the epoch */
export const moment = (ms) => absolute.format(new Date(ms));

/** "0.8 ms", "340 ms", "2.4 s", "3 min 20 s", "2 h 05 min" */
export function duration(ms) {
  if (!isNumber(ms)) return DASH;
  if (ms === 0) return "0 ms";
  if (ms < 1) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${String(Math.floor((ms % 60_000) / 1_000)).padStart(2, "0")} s`;
  return `${whole.format(Math.floor(minutes / 60))} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** What model calls cost, in dollars: "$0.0042", "$1.30"; null is not known. */
export function money(amount) {
  if (!isNumber(amount)) return DASH;
  if (amount === 0) return "$0";
  if (amount < 0.01) return `$${amount.toPrecision(2)}`;
  return `$${amount.toFixed(amount < 1 ? 3 : 2)}`;
}

export const count = (value) => (isNumber(value) ? whole.format(value) : DASH);
/** "1 step", "2 steps" */
export const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;
export const shortId = (id) => String(id ?? "").slice(0, 8);
/** One line, at most so long. */
export function oneLine(text, most = 200) {
  const line = String(text ?? "").replace(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}
/** The size of a value as the API tells it: "12 items", "3 keys", "120 chars" */
export function valueSize(type, size) {
  if (size === null || size === undefined) return "";
  const [one, many] = { list: ["item"], object: ["key"], text: ["char"] }[type] ?? ["unit"];
  return plural(size, one, many);
}
