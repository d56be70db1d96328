/** Small helpers to build the page. Text is always text: nothing here parses HTML. */

export const $ = (id) => document.getElementById(id);

/** An element with properties, `class` and `aria-…` or `data-…` attributes, and children. */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (name === "class" || name.includes("-") || name === "for" || name === "role") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children.flat());
  return node;
}

/** JSON, indented, in colours. */
export function highlighted(json) {
  const text = typeof json === "string" ? json : JSON.stringify(json, null, 2);
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(/("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g)) {
    const [whole, string, colon] = match;
    const kind = colon ? "key" : string ? "string" : "other";
    parts.push(text.slice(at, match.index), element("span", { class: `json-${kind}` }, string ?? whole), colon ?? "");
    at = match.index + whole.length;
  }
  return [...parts, text.slice(at)];
}

/** Text with `code` between backticks. */
export const prose = (text) =>
  text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));

/** Shows one panel of a list of tabs; arrow keys move between them. */
export function tabs(list) {
  const all = [...list.querySelectorAll("[role=tab]")];
  const select = (tab) => {
    for (const other of all) {
      other.setAttribute("aria-selected", String(other === tab));
      other.tabIndex = other === tab ? 0 : -1;
      $(other.getAttribute("aria-controls")).hidden = other !== tab;
    }
  };
  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) select(tab);
  });
  list.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const shown = all.filter((tab) => !tab.hidden);
    const next = shown[(shown.indexOf(document.activeElement) + step + shown.length) % shown.length];
    select(next);
    next.focus();
    event.preventDefault();
  });
  return (id) => select($(id));
}

/** A button that copies what `text` gives, and says that it did. */
export function copyButton(button, text) {
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
}
