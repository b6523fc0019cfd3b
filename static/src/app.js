// What every page needs: htmx, menus, dismissible messages, copying.

import "htmx.org";

const LOGIN_PATH = /\/accounts\/login\//;

// A session that ended answers a swap with the sign-in page: show it whole instead of inside a table.
document.addEventListener("htmx:before:response", (event) => {
  const { raw } = event.detail.ctx.response;
  if (raw.redirected && LOGIN_PATH.test(raw.url)) {
    event.preventDefault();
    location.reload();
  }
});

const announcer = document.getElementById("announcer");

for (const name of ["htmx:response:error", "htmx:error"]) {
  document.addEventListener(name, () => {
    announcer.textContent = "That did not work. Reload the page and try again.";
    announcer.className = "snack message message-error";
  });
}
document.addEventListener("htmx:before:request", () => {
  announcer.textContent = "";
  announcer.className = "visually-hidden";
});

// Open menus close on Escape and on a click elsewhere.
document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector("details.menu[open]");
  closeMenus(null);
  open?.querySelector("summary").focus();
});

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu !== except) menu.open = false;
  }
}

document.addEventListener("click", (event) => {
  event.target.closest("[data-dismiss]")?.closest("[role=status], [role=alert]")?.remove();
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  const copied = await copy(source);
  const label = button.querySelector("[data-copy-label]") ?? announcer;
  const before = label.textContent;
  label.textContent = copied ? "Copied" : "Press Ctrl+C";
  button.classList.toggle("is-copied", copied);
  setTimeout(() => {
    label.textContent = before;
    button.classList.remove("is-copied");
  }, 2000);
});

/** Over plain HTTP browsers offer no clipboard: select the text, so that one key press is left to do. */
async function copy(source) {
  try {
    await navigator.clipboard.writeText(source.dataset.copyText ?? source.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(source);
    return false;
  }
}
