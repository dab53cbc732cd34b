// The admin's page of one study: its link, copied by a button where the browser may copy.

import { announce, byId } from "./page.js";

const SHOWN_MS = 2000;
const button = byId("copy");
const link = byId("link");

link.addEventListener("focus", () => link.select());
button.hidden = !navigator.clipboard;
button.addEventListener("click", async () => {
  await navigator.clipboard.writeText(link.value);
  byId("copy-word").textContent = "Copied";
  announce("The link is copied.");
  setTimeout(() => { byId("copy-word").textContent = "Copy"; }, SHOWN_MS);
});
