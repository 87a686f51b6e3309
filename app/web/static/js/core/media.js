// Whether the page is as narrow as a phone, and the time, for what is told relative to now.
import { useEffect, useState } from "./html.js";

const NARROW = matchMedia("(max-width: 760px)");

export function useNarrow() {
  const [is, setIs] = useState(NARROW.matches);
  useEffect(() => {
    const change = () => setIs(NARROW.matches);
    NARROW.addEventListener("change", change);
    return () => NARROW.removeEventListener("change", change);
  }, []);
  return is;
}

/** Milliseconds since the epoch, told anew every `every` ms. */
export function useNow(every = 10_000) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}
