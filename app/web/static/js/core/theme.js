// Light or dark: the system's choice, or one's own, kept in this browser.
import { makeStore } from "./store.js";

const KEPT = "stackvm.theme";
const ORDER = ["system", "light", "dark"];

export const theme = makeStore(document.documentElement.dataset.theme ?? "system");

export function setTheme(next) {
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    if (next === "system") localStorage.removeItem(KEPT);
    else localStorage.setItem(KEPT, next);
  } catch {
    // storage may be forbidden: then it holds until the page is left
  }
  theme.set(next);
}

export const nextTheme = () => setTheme(ORDER[(ORDER.indexOf(theme.get()) + 1) % ORDER.length]);
