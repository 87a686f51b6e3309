// Before anything is drawn: the theme that was chosen, so that a dark page never flashes white. Not a module.
try {
  const chosen = localStorage.getItem("stackvm.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // storage may be forbidden: then the system decides
}
