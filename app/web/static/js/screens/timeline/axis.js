// From times to places on the page and back: long stretches in which nothing ran, or a person was waited for, are folded.
import { lengthOf, union } from "./model.js";

const FOLDED = 0.03; // of the time that is shown
const FOLDED_WAIT = 0.16; // there a bar says that a person is waited for
const LEAST_MS = 1_000;

/**
 * @param {{bars: any[], start: number, end: number}} times @param {boolean} folds
 * @returns {{length: number, toShown: (ms: number) => number, toTime: (shown: number) => number, gaps: {from: number, to: number, at: number, width: number}[]}}
 *   "shown" ms begin at 0, without what is folded
 */
export function makeAxis({ bars, start, end }, folds) {
  const busy = union(bars.filter((bar) => !bar.waits).map((bar) => [bar.start, bar.end]));
  if (busy.length > 0 && end > busy.at(-1)[1]) busy.push([end, end]);
  const worked = Math.max(1, lengthOf(busy));
  const gaps = [];
  let cut = 0;
  for (let index = 1; folds && index < busy.length; index++) {
    const [from, to] = [busy[index - 1][1], busy[index][0]];
    if (to - from < Math.max(LEAST_MS, worked * 0.15)) continue;
    const waits = bars.some((bar) => bar.waits && bar.start < to && bar.end > from);
    const width = Math.max(1, worked * (waits ? FOLDED_WAIT : FOLDED));
    gaps.push({ from, to, at: from - start - cut, width });
    cut += to - from - width;
  }
  const toShown = (ms) => {
    let shift = 0;
    for (const gap of gaps) {
      if (ms >= gap.to) shift += gap.to - gap.from - gap.width;
      else if (ms > gap.from) return gap.at + ((ms - gap.from) / (gap.to - gap.from)) * gap.width;
      else break;
    }
    return ms - start - shift;
  };
  const toTime = (shown) => {
    let shift = 0;
    for (const gap of gaps) {
      if (shown >= gap.at + gap.width) shift += gap.to - gap.from - gap.width;
      else if (shown > gap.at) return gap.from + ((shown - gap.at) / gap.width) * (gap.to - gap.from);
      else break;
    }
    return start + shown + shift;
  };
  return { length: Math.max(1, end - start - cut), toShown, toTime, gaps };
}

const UNITS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 86_400_000];

/** Round moments between two, about so many. @returns {{shown: number, ms: number}[]} `ms` since the start of the run */
export function ticks(axis, from, to, wanted, start) {
  const unit = UNITS.find((each) => (to - from) / each <= wanted) ?? UNITS.at(-1) * Math.ceil((to - from) / UNITS.at(-1) / wanted);
  const found = [];
  let last = -Infinity;
  for (let shown = Math.ceil(from / unit) * unit; shown <= to; shown += unit) {
    if (axis.gaps.some((gap) => shown > gap.at && shown < gap.at + gap.width)) continue;
    const ms = axis.toTime(shown) - start;
    if (shown - last > unit * 0.7) found.push({ shown, ms });
    last = shown;
  }
  return found;
}
