// What a hum is recorded on, as far as a browser tells without saying which model it is.

// The shorter side of a screen from which on a device that is touched is a tablet, CSS pixels; Android draws the line there.
const TABLET_FROM_PX = 600;

/** What the browser tells: whether it calls itself mobile, whether one points with a finger, the screen's shorter side. */
export function told() {
  return {
    mobile: navigator.userAgentData?.mobile ?? null,
    touched: matchMedia("(pointer: coarse)").matches,
    shorter_px: Math.min(screen.width, screen.height),
  };
}

/** "phone", "tablet" or "computer". */
export function deviceClass({ mobile, touched, shorter_px } = told()) {
  if (mobile) return "phone";
  if (!touched) return "computer";
  return shorter_px < TABLET_FROM_PX ? "phone" : "tablet";
}
