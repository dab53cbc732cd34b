// The keys of the review page: what each does, in the order of the list. `does` are the page's own acts by their names.

import { bindKeys } from "./keys.js";

const STEP_MS = 50;
const SMALL_STEP_MS = 5;

/** An end by 50 ms, with Shift by 5. */
function end(does, name, sign) {
  return (event) => does.moveEnd(name, (sign * (event.shiftKey ? SMALL_STEP_MS : STEP_MS)) / 1000);
}

/** Commands without words are told with the one before them. */
export function bindReviewKeys(ear, reasons, does) {
  bindKeys([
    { key: "a", name: "A", words: "the original", run: () => ear.press("reference") },
    { key: "s", name: "S", words: "the version", run: () => ear.press("voice") },
    { key: "d", name: "D", words: "both, left and right", run: () => ear.press("both") },
    { key: " ", name: "Space", words: "stop, and play on from there", run: () => ear.toggle() },
    { key: "ArrowLeft", name: "← →", words: "back or on by a second", run: () => ear.seek(-1) },
    { key: "ArrowRight", run: () => ear.seek(1) },
    { key: "Home", name: "Home", words: "back to the start", run: () => ear.toStart() },
    { key: "l", name: "L", words: "loop on or off", run: does.loop },
    { key: "f", name: "F", words: "slower, which is lower, too", run: does.slower },
    { key: "p", name: "P", words: "the next one plays at once, or not", run: does.atOnce },
    { key: ",", name: ", .", words: "5 ms earlier or later", run: () => does.nudge(-SMALL_STEP_MS) },
    { key: ".", run: () => does.nudge(SMALL_STEP_MS) },
    { key: "<", name: "< >", words: "50 ms earlier or later", run: () => does.nudge(-STEP_MS) },
    { key: ">", run: () => does.nudge(STEP_MS) },
    { key: "q", name: "Q W", words: "its start by 50 ms, with Shift by 5", run: end(does, "start", -1) },
    { key: "w", run: end(does, "start", 1) },
    { key: "e", name: "E R", words: "its end by 50 ms, with Shift by 5", run: end(does, "end", -1) },
    { key: "r", run: end(does, "end", 1) },
    { key: "x", name: "X", words: "as the machine found it", run: does.reset },
    { key: "y", name: "Y", words: "same and in step", run: does.accept },
    { key: "n", name: "N", words: "to the reasons against it", run: () => reasons.focus() },
    ...reasons.commands,
    { key: "k", name: "K", words: "cannot tell: others shall", run: does.pass },
    { key: "Enter", name: "Enter", words: "go on, after practice", run: does.goOn },
    { key: "u", name: "U", words: "take the last verdict back", run: does.undo },
    { key: "v", name: "V", words: "my last verdicts", run: does.verdicts },
    { key: "Escape", name: "Esc", words: "close the notices", run: does.close },
  ]);
}
