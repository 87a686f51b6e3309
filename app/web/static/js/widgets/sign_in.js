// The page that asks for an API key. The key goes to the server once and comes back as a cookie no script can read.
import { html, useState } from "../core/html.js";
import { signIn } from "../core/session.js";

export function SignIn({ session }) {
  const [key, setKey] = useState("");
  const [why, setWhy] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setWhy(await signIn(key.trim()));
    setBusy(false);
  };
  return html`<main class="sign-in">
    <form onSubmit=${submit}>
      <img src=${new URL("../../icon.svg", import.meta.url).href} alt="" width="40" height="40" />
      <h1>Sign in to StackVM</h1>
      ${session.was && !why && html`<p role="status">The session is over: its key was revoked or has ended. Sign in again to go on where you are.</p>`}
      <label for="key">API key</label>
      <input id="key" type="password" autocomplete="current-password" autofocus required value=${key} onInput=${(event) => setKey(event.target.value)} aria-describedby="key-help" />
      ${why && html`<p class="failed-text" role="alert">${why}</p>`}
      <button class="primary" disabled=${busy || !key.trim()}>Sign in</button>
      <p id="key-help" class="quiet">An admin makes one with <code>stackvm key create NAME</code>. It stays in a cookie that ends with this browser.</p>
    </form>
  </main>`;
}
