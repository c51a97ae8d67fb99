/** Making elements, and what the page tells those who do not see it. */

type Child = Node | string | null | undefined | false;
type Attributes = Record<string, string | number | boolean | null | undefined | ((event: never) => void)>;

/** An element; attributes that begin with `on` are listeners, those that are false or null are left out. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name.slice(2), value as EventListener);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child): child is Node | string => child !== null && child !== undefined && child !== false));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

/** An icon of `icons.ts`, which says nothing to a screen reader. */
export function svg(path: string, size = 24): SVGElement {
  const made = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({
    viewBox: "0 0 24 24", width: size, height: size, fill: "none", stroke: "currentColor", "stroke-width": 2,
    "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true", focusable: "false",
  })) made.setAttribute(name, String(value));
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  made.append(line);
  return made;
}

/** Whether the person wants nothing to move. */
export function stillness(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

const status = h("div", { role: "status", "aria-live": "polite", class: "unseen" });
const alert = h("div", { role: "alert", "aria-live": "assertive", class: "unseen" });

/** The live regions, to be put into the page once. */
export function liveRegions(): HTMLElement[] {
  return [status, alert];
}

/** Tell a screen reader; what is urgent interrupts. */
export function announce(text: string, urgent = false): void {
  const region = urgent ? alert : status;
  region.textContent = "";
  // the same words twice are told twice only if the region was empty in between
  setTimeout(() => {
    region.textContent = text;
  }, 50);
}
