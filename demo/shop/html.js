// HTML from template strings: whatever is put in is escaped, unless it was made by `html` or `raw` itself.

class Html {
  constructor(text) {
    this.text = text;
  }

  toString() {
    return this.text;
  }
}

export function html(strings, ...values) {
  return new Html(String.raw({ raw: strings }, ...values.map(textOf)));
}

/** For markup that is ours and constant, such as the pictures. */
export function raw(text) {
  return new Html(text);
}

const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function textOf(value) {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(textOf).join("");
  if (value === null || value === undefined || value === false) return "";
  return String(value).replace(/[&<>"']/g, (character) => entities[character]);
}
