// Keyboard commands of a page, with their list and a switch to turn them off (single keys get in the way of speech
// input). The page includes templates/parts/keys.html and calls
//   bindKeys([{ key: "l", name: "L", words: "listen", run: () => … }]).

import { remember, remembered } from "./page.js";

const OFF = "chad-keys-off";

// Keys that these elements need for themselves.
const TYPES_TEXT = "input:not([type=radio]):not([type=checkbox]):not([type=range]), textarea, select, [contenteditable]";
const ACTS_ITSELF = "button, a[href], summary, input, [role=slider]";

function isTaken(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return true;
  if (document.querySelector("dialog[open]")) return true;
  const target = event.target instanceof Element ? event.target : document.body;
  if (target.closest(TYPES_TEXT)) return true;
  return [" ", "Enter"].includes(event.key) && target.closest(ACTS_ITSELF) !== null;
}

function listIn(dialog, commands) {
  const list = dialog.querySelector("[data-key-list]");
  for (const { name, words } of commands) {
    const term = document.createElement("dt");
    const key = document.createElement("kbd");
    key.textContent = name;
    term.append(key);
    const meaning = document.createElement("dd");
    meaning.textContent = words;
    list.append(term, meaning);
  }
}

function bindDialog(dialog, commands) {
  listIn(dialog, commands.filter(({ words }) => words));
  const box = dialog.querySelector("[data-keys-on]");
  box.checked = remembered(OFF) === null;
  box.addEventListener("change", () => remember(OFF, box.checked ? null : "1"));
  document.querySelectorAll("[data-keys-open]").forEach((button) => button.addEventListener("click", () => dialog.showModal()));
}

/**
 * Binds the commands; `key` is compared with KeyboardEvent.key without case. `run` decides itself whether it applies now.
 * One without `words` is left out of the list: the one before it speaks for it.
 */
export function bindKeys(commands) {
  const dialog = document.getElementById("keys");
  if (dialog) bindDialog(dialog, commands);
  document.addEventListener("keydown", (event) => {
    if (event.key === "?" && dialog && !isTaken(event)) return dialog.showModal();
    if (remembered(OFF) !== null || isTaken(event) || event.repeat) return undefined;
    const command = commands.find(({ key }) => key.toLowerCase() === event.key.toLowerCase());
    if (!command) return undefined;
    event.preventDefault();
    return command.run(event);
  });
}
