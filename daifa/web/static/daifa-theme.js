// Before anything is painted: the chosen theme, else the system's.
(() => {
  let chosen = null;
  try { chosen = localStorage.getItem("daifa-theme"); } catch { /* storage may be closed to us */ }
  const dark = chosen ? chosen === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.setAttribute("data-bs-theme", dark ? "dark" : "light");
})();
