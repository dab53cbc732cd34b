// On every page: the menu on a phone, the switch between light and dark, and the way of waiting takes to the server.

import * as delivery from "./delivery.js";
import { icon, remember } from "./page.js";
import { gettext } from "./words.js";

const root = document.documentElement;
const systemDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches;
}

function showSwitch(button) {
  button.querySelector("[data-theme-icon]").replaceChildren(icon(isDark() ? "sun" : "moon"));
  button.querySelector("[data-theme-word]").textContent = isDark() ? gettext("Light") : gettext("Dark");
}

/** The other theme; the one that the system has anyway is not stored, so that the page follows it again. */
function switchTheme() {
  const theme = isDark() ? "light" : "dark";
  const asSystem = (theme === "dark") === systemDark.matches;
  remember("chad-theme", asSystem ? null : theme);
  if (asSystem) delete root.dataset.theme;
  else root.dataset.theme = theme;
  document.dispatchEvent(new Event("chad:theme"));
}

function bindTheme(button) {
  button.hidden = false;
  showSwitch(button);
  button.addEventListener("click", switchTheme);
  document.addEventListener("chad:theme", () => showSwitch(button));
  systemDark.addEventListener("change", () => showSwitch(button));
}

function bindMenu(button) {
  const nav = document.getElementById(button.getAttribute("aria-controls"));
  const open = (yes) => {
    nav.toggleAttribute("data-open", yes);
    button.setAttribute("aria-expanded", String(yes));
  };
  button.addEventListener("click", () => open(!nav.hasAttribute("data-open")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !nav.hasAttribute("data-open")) return;
    open(false);
    button.focus();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!nav.contains(event.target) && !button.contains(event.target)) open(false);
  });
}

/** Small menus (details.menu) close when the person turns to something else. */
function closeMenus(event) {
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (event.key === "Escape" || (event.type === "pointerdown" && !menu.contains(event.target))) menu.open = false;
  });
}

/** On a phone the row of a section's pages is pulled sideways; the page that is open is in sight. */
function showCurrentPage(nav) {
  const current = nav.querySelector("[aria-current]");
  if (current) nav.scrollLeft = current.offsetLeft - (nav.clientWidth - current.offsetWidth) / 2;
}

document.querySelectorAll("[data-theme-switch]").forEach(bindTheme);
document.querySelectorAll(".sub-nav").forEach(showCurrentPage);
document.querySelectorAll("[data-menu-button]").forEach(bindMenu);
document.addEventListener("pointerdown", closeMenus);
document.addEventListener("keydown", closeMenus);
delivery.start();
