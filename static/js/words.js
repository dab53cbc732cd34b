// Sentences in the reader's language. Django's JavaScriptCatalog, where the page has loaded it, gives gettext and
// ngettext to every script; without it everything is said in English, as it is written in the code.

/** The message in the reader's language. */
export function gettext(message) {
  return typeof globalThis.gettext === "function" ? globalThis.gettext(message) : message;
}

/** The message for a number of things: one of them, or many. */
export function ngettext(one, many, number) {
  if (typeof globalThis.ngettext === "function") return globalThis.ngettext(one, many, number);
  return number === 1 ? one : many;
}

/** Fills the places %(name)s of a message; %% is a per cent sign. A name without a value is a slip of ours and throws. */
export function interpolate(format, values) {
  return format.replace(/%%|%\((\w+)\)s/g, (place, name) => {
    if (place === "%%") return "%";
    if (!(name in values)) throw new Error(`no value for ${place} in “${format}”`);
    return String(values[name]);
  });
}

/** A number with so many decimals, as the page's language writes it: 3.5 or 3,5. */
export function decimal(number, decimals = 1) {
  const language = document.documentElement.lang || "en";
  return number.toLocaleString(language, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}
