// Asking the server again and again, kindly: one question at a time, none while the page is hidden, slower when it fails.

// After so many failures in a row the pause no longer grows.
const MOST_DOUBLINGS = 4;

/** Calls ask() at once and then every so many ms after its end. ask's promise says true to go on, false to end. */
export function poll(ask, every_ms) {
  let timer = null;
  let failures = 0;
  let asking = false;
  let over = false;

  async function look() {
    clearTimeout(timer);
    if (asking || over || document.hidden) return;
    asking = true;
    try {
      over = (await ask()) === false;
      failures = 0;
    } catch (error) {
      failures = Math.min(failures + 1, MOST_DOUBLINGS);
      throw error;
    } finally {
      asking = false;
      if (!over) timer = setTimeout(look, every_ms * 2 ** failures);
    }
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
  timer = setTimeout(look, every_ms);
  return { now: look };
}
