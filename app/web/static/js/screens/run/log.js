// The commits of a branch as a list of any length, the newest first: what is in sight is asked for, the rest when it is
// scrolled to; new commits come in front.
import { useCallback, useEffect, useRef, useState } from "../../core/html.js";
import { get, toProblem, useAgain } from "../../core/api.js";
import { path } from "../../core/router.js";

const PAGE = 50;
const NEWS = 100;
const PAUSE_MS = 350;

class Log {
  /** `rows` has a place for every commit that is known to be there; those not asked for yet are empty. */
  constructor(id, branch, onChange) {
    Object.assign(this, { id, branch, onChange, rows: [], total: null, prepended: 0, problem: null, isOver: false });
    this.next = null; // the cursor behind the rows that were read one after the other
    this.read = 0; // how many these are
    this.busy = false;
    this.wanted = null;
    this.timer = null;
    this.asked = false;
  }

  get isComplete() {
    return this.total !== null || (this.asked && this.next === null);
  }

  page(params) {
    return get(path`/api/tasks/${this.id}/commits`, { digests: true, limit: PAGE, ...params });
  }

  async begin() {
    await this.guard(async () => {
      const page = await this.page({ branch: this.branch });
      this.asked = true;
      this.take(0, page.items);
      [this.next, this.read] = [page.next, page.items.length];
    });
  }

  take(from, items) {
    for (const [offset, item] of items.entries()) this.rows[from + offset] = item;
  }

  /** How long the line is, told of the commit `head`. */
  setTotal(head, commits) {
    const behind = this.rows.findIndex((row) => row?.commit === head);
    if (behind < 0 || (this.total !== null && this.total >= commits + behind)) return;
    this.total = commits + behind;
    this.rows.length = this.total;
    this.onChange();
  }

  /** These rows are in sight. */
  want(first, last) {
    this.wanted = [first, last];
    this.fill();
  }

  async fill() {
    if (this.busy || !this.wanted || this.isOver || !this.asked) return;
    const [first, last] = this.wanted;
    let gap = first;
    while (gap < last && gap < this.rows.length && this.rows[gap]) gap += 1;
    if (gap >= last || (this.total !== null ? gap >= this.total : this.next === null)) return;
    this.busy = true;
    const failed = !(await this.guard(() => this.fillFrom(gap)));
    this.busy = false;
    if (!failed) this.fill();
  }

  async fillFrom(gap) {
    const before = this.prepended;
    if (gap === this.read && this.next !== null) {
      const page = await this.page({ branch: this.branch, cursor: this.next, limit: 2 * PAGE });
      this.take(gap + this.prepended - before, page.items);
      [this.next, this.read] = [page.next, gap + page.items.length + this.prepended - before];
      return;
    }
    // Somewhere in between: from its neighbour where that is known, else counted from the newest.
    const rev = this.rows[gap - 1]?.parent ?? `${this.rows[0].commit}~${gap}`;
    const page = await this.page({ rev });
    this.take(gap + this.prepended - before, page.items);
  }

  /** There may be new commits. */
  refresh() {
    this.timer ??= setTimeout(async () => {
      this.timer = null;
      if (!this.asked || this.isOver) return;
      await this.guard(() => this.readNews());
    }, PAUSE_MS);
  }

  async readNews() {
    const { items } = await this.page({ branch: this.branch, limit: NEWS });
    if (items[0].commit === this.rows[0]?.commit) return;
    const known = items.findIndex((item) => item.commit === this.rows[0]?.commit);
    if (known < 0) {
      // More than a page is new, or the branch was made anew.
      Object.assign(this, { rows: [], total: null, next: null, read: 0, asked: false, prepended: 0 });
      await this.begin();
      return;
    }
    this.rows.unshift(...items.slice(0, known));
    this.prepended += known;
    this.read += known;
    if (this.total !== null) this.total += known;
  }

  async guard(work) {
    try {
      await work();
      this.problem = null;
      return true;
    } catch (error) {
      this.problem = toProblem(error);
      return false;
    } finally {
      if (!this.isOver) this.onChange();
    }
  }

  retry() {
    this.problem = null;
    if (this.asked) this.fill();
    else this.begin();
  }
}

/**
 * @param {string} id of the task
 * @param {string | null} branch null: the current one, whose name is not known yet
 * @returns {Log} the same object while the branch is the same; the component is drawn again as it changes
 */
export function useLog(id, branch) {
  const [, drawn] = useState(0);
  const held = useRef(null);
  const now = held.current;
  if (now?.id === id && now.branch === null) now.branch = branch; // the name of what was asked for already
  else if (now?.id !== id || now.branch !== branch) held.current = new Log(id, branch, () => drawn((round) => round + 1));
  const log = held.current;
  useEffect(() => {
    log.begin();
    return () => {
      log.isOver = true;
    };
  }, [log]);
  useAgain(log.problem, () => log.isOver || log.retry());
  return log;
}

/**
 * Where a commit is in the log; what is not read yet is read on, until it is there or the log ends.
 * @returns {number} -1 where it is not, or not yet
 */
export function useIndex(log, commit) {
  const index = useRef({ commit: null, at: -1, prepended: 0 });
  const find = useCallback(() => {
    if (!log || !commit) return -1;
    const { at, prepended } = index.current;
    const guess = at + log.prepended - prepended;
    const found = log.rows[guess]?.commit === commit ? guess : log.rows.findIndex((row) => row?.commit === commit);
    index.current = { commit, at: found, prepended: log.prepended };
    return found;
  }, [log, commit]);
  const at = find();
  useEffect(() => {
    if (log && commit && at < 0 && log.asked && log.next !== null && !log.busy) log.want(log.read, log.read + 2 * PAGE);
  });
  return at;
}
