// Runs before the first paint, so that a chosen theme never flashes. Without a choice the system's one holds.

const KEY = "plimsoll-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

function chosen() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage may be forbidden; the system's theme is good then
  }
}

function apply() {
  const theme = chosen() ?? (system.matches ? "dark" : "light");
  document.documentElement.dataset.bsTheme = theme;
  document.dispatchEvent(new CustomEvent("plimsoll:theme", { detail: theme }));
}

document.documentElement.classList.add("js");
apply();
system.addEventListener("change", apply);
addEventListener("storage", apply);
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-toggle-theme]")) return;
  const next = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(KEY, next);
    apply();
  } catch {
    document.documentElement.dataset.bsTheme = next;
  }
});
