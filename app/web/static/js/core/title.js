// The title of the page: what is looked at, then which screen that is, so that tabs can be told from each other.
import { useEffect } from "./html.js";

let screen = null;
let about = null;
const write = () => {
  document.title = [about, screen, "StackVM"].filter(Boolean).join(" · ");
};

/** Which screen it is; null: none. */
export function setScreen(name) {
  screen = name;
  write();
}

/** What the screen is about, for as long as the component is there. */
export function useTitle(text) {
  useEffect(() => {
    about = text;
    write();
    return () => {
      about = null;
      write();
    };
  }, [text]);
}
