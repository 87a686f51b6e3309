// All tools that plans may call here: what each does to the outside, and which namespaces allow it.
import { html, useMemo, useState } from "../core/html.js";
import { useDocument } from "../core/api.js";
import { oneLine, plural } from "../core/format.js";
import { useNarrow } from "../core/media.js";
import { Link, path, setQuery } from "../core/router.js";
import { session } from "../core/session.js";
import { DataTable } from "../widgets/data_table.js";
import { EFFECTS, EffectMark } from "../widgets/effect_mark.js";
import { Empty, Loading } from "../widgets/empty.js";
import { Icon } from "../widgets/icon.js";
import { ProblemNote } from "../widgets/problem_note.js";

const linkOf = (tool) => path`/tools/${tool.tool}`;
const keyOf = (tool) => tool.tool;
const firstLine = (tool) => oneLine(tool.description.split("\n")[0]);

/** The names of the namespaces that allow a tool. */
export const allowedIn = (tool, namespaces) => (namespaces ?? []).filter((each) => each.tools.includes(tool.tool)).map((each) => each.namespace);

const whatOf = (tool) => html`${tool.unavailable && html`<span class="waiting-text" title=${tool.unavailable}>not available · </span>`}${firstLine(tool)}`;

const columns = (namespaces) => [
  { name: "tool", title: "Tool", width: "minmax(140px, 220px)", render: (tool) => html`<${Link} to=${linkOf(tool)}><code>${tool.tool}</code></${Link}>` },
  { name: "effect", title: "Effect", width: "124px", render: (tool) => html`<${EffectMark} effect=${tool.effect} declared=${tool.declared} />` },
  { name: "what", title: "What it does", width: "minmax(180px, 1fr)", render: (tool) => whatOf(tool) },
  { name: "namespaces", title: "Namespaces", width: "minmax(80px, 200px)", render: (tool) => html`<span class="quiet">${allowedIn(tool, namespaces).join(", ") || "none"}</span>` },
];

const narrowRow = (tool) => html`<${Link} to=${linkOf(tool)} class="narrow-title"><code>${tool.tool}</code></${Link}>
  <span class="narrow-facts"><${EffectMark} effect=${tool.effect} declared=${tool.declared} /><span class="narrow-about">${whatOf(tool)}</span></span>`;

function Filters({ query, shown }) {
  const chosen = new Set((query.effect ?? "").split(",").filter(Boolean));
  const toggle = (effect) => {
    if (!chosen.delete(effect)) chosen.add(effect);
    setQuery({ effect: Object.keys(EFFECTS).filter((each) => chosen.has(each)).join(",") });
  };
  return html`<div class="filters" role="search">
    <label class="search"><${Icon} name="search" /><span class="visually-hidden">Search the tools</span>
      <input type="search" placeholder="Search tools" value=${query.text ?? ""} onInput=${(event) => setQuery({ text: event.target.value })} /></label>
    <div class="chips" role="group" aria-label="Effect class">${Object.keys(EFFECTS).map((effect) => html`
      <button type="button" key=${effect} class="chip" aria-pressed=${chosen.has(effect)} onClick=${() => toggle(effect)}><${EffectMark} effect=${effect} /></button>`)}</div>
    <span class="quiet" role="status">${plural(shown, "tool")}</span>
  </div>`;
}

export default function Tools({ query }) {
  const { data, problem, loading, reload } = useDocument("/api/tools");
  const { data: namespaces } = useDocument("/api/namespaces");
  const [chosen, setChosen] = useState(null);
  const isNarrow = useNarrow();
  const table = useMemo(() => columns(namespaces?.items), [namespaces]);
  const text = (query.text ?? "").toLowerCase();
  const effects = (query.effect ?? "").split(",").filter(Boolean);
  const rows = (data?.items ?? []).filter((tool) =>
    (effects.length === 0 || effects.includes(tool.effect)) &&
    (!text || [tool.tool, ...tool.aliases, tool.description].some((each) => each.toLowerCase().includes(text))));
  const mine = session.get().namespace;
  return html`<main class="tools-screen" aria-busy=${loading}>
    <h1 class="visually-hidden">Tools</h1>
    <${Filters} query=${query} shown=${rows.length} />
    ${mine && html`<p class="aside">These are the tools that the namespace ${mine} allows; your key is for it.</p>`}
    <${ProblemNote} problem=${problem} onRetry=${reload} />
    ${loading && !data && html`<${Loading} what="Loading tools" />`}
    ${data && rows.length === 0 && (data.items.length === 0
      ? html`<${Empty} title="There are no tools"><p>Tools are Python functions in the folder that the setting <code>TOOLS_PATH</code> names.</p></${Empty}>`
      : html`<p class="nothing" role="status">No tool fits.</p>`)}
    ${rows.length > 0 && html`<${DataTable} key=${isNarrow} label="Tools" rows=${rows} keyOf=${keyOf} linkOf=${linkOf} columns=${table}
      selected=${rows.findIndex((tool) => tool.tool === chosen)} onSelect=${(index) => setChosen(rows[index].tool)}
      rowHeight=${isNarrow ? 54 : 34} narrow=${isNarrow ? narrowRow : null} />`}
  </main>`;
}
