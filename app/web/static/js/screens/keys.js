// API keys, for admins: who has one and what it may do; make one, which is shown once; revoke one.
import { html, useState } from "../core/html.js";
import { announce, copy } from "../core/announce.js";
import { del, post, toProblem, useDocument } from "../core/api.js";
import { moment } from "../core/format.js";
import { useNow } from "../core/media.js";
import { path } from "../core/router.js";
import { may, session, signIn } from "../core/session.js";
import { useStore } from "../core/store.js";
import { Confirm } from "../widgets/confirm.js";
import { Dialog } from "../widgets/dialog.js";
import { Empty, Loading } from "../widgets/empty.js";
import { Icon } from "../widgets/icon.js";
import { ProblemNote } from "../widgets/problem_note.js";
import { StatusMark } from "../widgets/status_mark.js";
import { Ago } from "../widgets/time.js";

const ROLES = { viewer: "looks", operator: "also submits, steers and revises", admin: "also has namespaces and keys" };

function NewKey({ isFirst, onMade }) {
  const { data: namespaces } = useDocument("/api/namespaces");
  const [form, setForm] = useState({ name: "", role: isFirst ? "admin" : "viewer", namespace: "", days: "" });
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  const make = async (event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const made = await post("/api/keys", { name: form.name.trim(), role: form.role, namespace: form.namespace || null, days: form.days === "" ? null : Number(form.days) });
      // From the first key on nobody is answered without one: this page neither.
      if (isFirst) await signIn(made.key);
      setForm({ ...form, name: "" });
      onMade(made);
    } catch (error) {
      setProblem(toProblem(error));
    }
    setBusy(false);
  };
  return html`<form class="new-key" onSubmit=${make} aria-label="New key">
    <div class="field-row">
      <label class="field"><span class="label">For whom</span><input required maxlength="100" value=${form.name} onInput=${set("name")} placeholder="who or what will use it" /></label>
      <label class="field"><span class="label">Role</span><select value=${form.role} onChange=${set("role")}>${Object.entries(ROLES).map(([role, does]) => html`<option value=${role} title=${does}>${role}</option>`)}</select><span class="quiet">${ROLES[form.role]}</span></label>
      <label class="field"><span class="label">Namespace</span><select value=${form.namespace} onChange=${set("namespace")}><option value="">all</option>${namespaces?.items.map((each) => html`<option value=${each.namespace}>${each.namespace}</option>`)}</select></label>
      <label class="field"><span class="label">Days</span><input type="number" min="1" max="36500" value=${form.days} onInput=${set("days")} placeholder="until revoked" /></label>
    </div>
    ${isFirst && html`<p class="aside">So far this server answers its own machine without a key. From the first key on everybody needs one; this page is signed in with it.
      ${form.role !== "admin" && html` <strong class="waiting-text">With a first key that is no admin's, further keys can only be made on the server, by <code>stackvm key create</code>.</strong>`}</p>`}
    <${ProblemNote} problem=${problem} />
    <div class="actions"><button class="primary" disabled=${busy || !form.name.trim()}>Make the key</button></div>
  </form>`;
}

function Secret({ made, onClose }) {
  return html`<${Dialog} title=${`The key of ${made.name}`} onClose=${onClose}>
    <p>It is shown this once. What the server keeps is a hash.</p>
    <p class="secret"><code>${made.key}</code></p>
    <div class="actions end-actions"><button type="button" class="primary" autofocus onClick=${() => copy(made.key, "Copied the key")}><${Icon} name="copy" /> Copy</button>
      <button type="button" onClick=${onClose}>I have it</button></div>
  </${Dialog}>`;
}

const stateOf = (row, now) => (row.revoked_ms !== null ? "revoked" : row.expires_ms !== null && row.expires_ms <= now ? "over" : "valid");

function Row({ row, now, onRevoke }) {
  const state = stateOf(row, now);
  return html`<tr class=${state === "valid" ? "" : "is-over"}>
    <td>${row.name}<div class="quiet"><code>${row.id}</code></div></td>
    <td title=${ROLES[row.role]}>${row.role}</td><td>${row.namespace ?? html`<span class="quiet">all</span>`}</td>
    <td><${Ago} ms=${row.created_ms} now=${now} /></td>
    <td>${state === "revoked" && html`<${StatusMark} status="cancelled" label="revoked" /> <${Ago} ms=${row.revoked_ms} now=${now} />`}
      ${state === "over" && html`<${StatusMark} status="cancelled" label="over" />`}
      ${state === "valid" && html`<${StatusMark} status="completed" label="valid" />${row.expires_ms !== null && html` <span class="quiet" title=${moment(row.expires_ms)}>until ${moment(row.expires_ms)}</span>`}`}</td>
    <td class="end">${state === "valid" && html`<button type="button" class="small" onClick=${onRevoke} aria-label=${`Revoke the key of ${row.name}`}>Revoke</button>`}</td>
  </tr>`;
}

export default function Keys() {
  const who = useStore(session);
  const isAdmin = may("admin", who);
  const { data, problem, loading, reload } = useDocument(isAdmin ? "/api/keys" : null);
  const [made, setMade] = useState(null);
  const [revoking, setRevoking] = useState(null);
  const now = useNow();
  const shown = made && html`<${Secret} made=${made} onClose=${() => { setMade(null); reload(); }} />`;
  if (!isAdmin) {
    return html`<main class="page"><${Empty} title="API keys are for admins"><p>Your key has the role ${who.role}. Who has a key of the role admin can make and revoke keys here.</p></${Empty}>${shown}</main>`;
  }
  return html`<main class="page keys-screen" aria-busy=${loading}>
    <h1>API keys</h1>
    <${NewKey} isFirst=${!who.keysNeeded} onMade=${(key) => { setMade(key); reload(); }} />
    <${ProblemNote} problem=${problem} onRetry=${reload} />
    ${loading && !data && html`<${Loading} what="Loading API keys" />`}
    ${data && (data.items.length === 0
      ? html`<p class="quiet">There are no keys yet.</p>`
      : html`<div class="table-scroll" tabindex="0" role="region" aria-label="All keys"><table class="plain-table"><thead><tr><th>For whom</th><th>Role</th><th>Namespace</th><th>Made</th><th>State</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
        <tbody>${data.items.map((row) => html`<${Row} key=${row.id} row=${row} now=${now} onRevoke=${() => setRevoking(row)} />`)}</tbody></table></div>`)}
    ${shown}
    ${revoking && html`<${Confirm} title=${`Revoke the key of ${revoking.name}?`} yes="Revoke it" run=${() => del(path`/api/keys/${revoking.id}`)}
      onClose=${(done) => { setRevoking(null); if (done) { announce(`Revoked the key of ${revoking.name}`); reload(); } }}>
      <p>Whoever uses it is refused at once, and sessions with it end. It can't be made valid again.</p></${Confirm}>`}
  </main>`;
}
