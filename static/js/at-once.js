// Whether the next item's sound begins by itself: a switch, remembered on this device.

import { announce, remember, remembered } from "./page.js";
import { act } from "./review-show.js";

const AT_ONCE = "chad-review-at-once";

export function playsAtOnce() {
  return remembered(AT_ONCE) !== "off";
}

export function showAtOnce() {
  act("atOnce").setAttribute("aria-pressed", playsAtOnce());
}

export function toggleAtOnce() {
  remember(AT_ONCE, playsAtOnce() ? "off" : null);
  showAtOnce();
  announce(playsAtOnce() ? "The next item plays at once." : "The next item waits for you to play it.");
}
