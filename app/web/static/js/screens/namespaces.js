// Namespaces: which tools the tasks of each may call. Admins make, change and remove them; others look.
import { html, useEffect, useState } from "../core/html.js";
import { useDocument } from "../core/api.js";
import { plural } from "../core/format.js";
import { Link, href, navigate } from "../core/router.js";
import { may, session } from "../core/session.js";
import { cx } from "../core/html.js";
import { Empty, Loading } from "../widgets/empty.js";
import { ProblemNote } from "../widgets/problem_note.js";
import { NamespaceForm } from "./tools/namespace_form.js";
import { NamespaceFacts } from "./tools/namespace_facts.js";

function Row({ row, chosen }) {
  return html`<li><${Link} to=${href("/namespaces", { name: row.namespace })} class=${cx("namespace-row", chosen && "here")} aria-current=${chosen ? "true" : undefined}>
    <strong>${row.namespace}</strong><span class="quiet">${plural(row.tools.length, "tool")}</span>
    <span class="quiet namespace-about">${row.description || "no description"}</span></${Link}></li>`;
}

export default function Namespaces({ query }) {
  const { data, problem, loading, reload } = useDocument("/api/namespaces");
  const { data: tools } = useDocument("/api/tools");
  const [round, setRound] = useState(0);
  const isAdmin = may("admin");
  const isNew = query.new !== undefined && isAdmin;
  const rows = data?.items ?? [];
  const chosen = rows.find((row) => row.namespace === query.name);
  const first = rows[0]?.namespace;
  useEffect(() => {
    if (!query.name && !isNew && first) navigate(href("/namespaces", { name: first }), { replace: true });
  }, [query.name, isNew, first]);
  const onSaved = (name) => {
    reload();
    setRound((before) => before + 1);
    navigate(name ? href("/namespaces", { name }) : "/namespaces");
  };
  return html`<main class="page full split-screen" aria-busy=${loading}>
    <section class="split-list" aria-label="All namespaces">
      <header><h1>Namespaces</h1>${isAdmin && html`<${Link} class="button small" to="/namespaces?new=1">New</${Link}>`}</header>
      <${ProblemNote} problem=${problem} onRetry=${reload} />
      ${loading && !data && html`<${Loading} />`}
      <ul>${rows.map((row) => html`<${Row} key=${row.namespace} row=${row} chosen=${row === chosen} />`)}</ul>
      ${!isAdmin && html`<p class="quiet">Your key may look. Namespaces are made and changed with a key of the role admin${session.get().namespace ? " for all namespaces" : ""}.</p>`}
    </section>
    <section class="split-main" aria-label=${isNew ? "New namespace" : query.name ?? "Namespace"}>
      ${data && rows.length === 0 && !isNew && html`<${Empty} title="No namespaces"><p>A namespace says which tools its tasks may call. Tasks without one may call every tool.</p>
        ${isAdmin && html`<p><${Link} class="button primary" to="/namespaces?new=1">Make one</${Link}></p>`}</${Empty}>`}
      ${query.name && data && !chosen && !isNew && rows.length > 0 && html`<${Empty} title=${`There is no namespace ${query.name}`} />`}
      ${isNew && tools && html`<${NamespaceForm} key="new" tools=${tools.items} onSaved=${onSaved} />`}
      ${chosen && !isNew && tools && (isAdmin
        ? html`<${NamespaceForm} key=${`${chosen.namespace} ${round} ${chosen.updated_ms}`} row=${chosen} tools=${tools.items} onSaved=${onSaved} />`
        : html`<${NamespaceFacts} row=${chosen} tools=${tools.items} />`)}
    </section>
  </main>`;
}
