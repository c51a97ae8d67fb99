/** The sheet in which a person says what they want: loop or destination, how long, what they like. */

import * as api from "../api";
import type { FoundPlace } from "../api";
import { announce, h, svg } from "../dom";
import { duration, length, texts } from "../i18n";
import { FACTOR_ICON, ICONS, type IconName } from "../icons";
import { get, set, type Kind, type Place } from "../store";
import { MOST, TASTES, USUAL, type Levels, type TasteKey } from "../taste";
import { openDialog } from "./frame";

const SHORTEST_MIN = 15;
const LONGEST_MIN = 180;
const PAUSE_MS = 180;

const TASTE_ICON: Record<TasteKey, IconName> = {
  quiet: "quiet", green: "leaf", water: "water", sights: "sights", amenities: "cup", clean_air: "air", dry: "umbrella",
  shade: "sun", lit: "lamp", easy: FACTOR_ICON["rough_surface"]!, empty: "people",
};

/** Open it; resolves to whether another walk is wanted. */
export async function openPlan(near: { lat: number; lon: number }): Promise<boolean> {
  const t = texts();
  let kind: Kind = get().kind;
  let minutes = get().minutes;
  let destination: Place | null = get().destination;
  let levels: Levels = { ...get().levels };
  let wanted = false;
  await openDialog("plan", t.plan.title, (close) => {
    const lengthPart = h("div", { class: "part" }, range("minutes", t.plan.length, minutes, SHORTEST_MIN, LONGEST_MIN, 5, (value) => duration(value * 60), (value) => (minutes = value), "clock"));
    const problem = h("p", { class: "failure", role: "alert" });
    const placePart = placeSearch(near, destination, (place) => {
      destination = place;
      problem.textContent = "";
    });
    const show = (): void => {
      lengthPart.hidden = kind !== "loop";
      placePart.hidden = kind !== "to";
    };
    const tastes = h("div", { class: "tastes" });
    const drawTastes = (): void =>
      tastes.replaceChildren(
        ...TASTES.map(({ key }) =>
          range(key, t.tastes[key], levels[key] ?? USUAL, 0, MOST, 1, (value) => t.plan.levels[value] ?? "", (value) => (levels = { ...levels, [key]: value }), TASTE_ICON[key])));
    drawTastes();
    show();
    const submit = (event: Event): void => {
      event.preventDefault();
      if (kind === "to" && destination === null) {
        problem.textContent = t.plan.needPlace;
        placePart.querySelector("input")?.focus();
        return;
      }
      wanted = true;
      set({ kind, minutes, destination, levels });
      close();
    };
    const reset = (): void => {
      levels = {};
      drawTastes();
    };
    return [
      h("form", { class: "body", onsubmit: submit },
        choice("kind", t.plan.kind, { loop: t.loop, to: t.destination }, kind, (value) => {
          kind = value as Kind;
          show();
          if (kind === "to") placePart.querySelector("input")?.focus();
        }),
        lengthPart,
        placePart,
        problem,
        h("div", { class: "heading" }, h("h3", {}, t.plan.taste), h("button", { type: "button", class: "quietly", onclick: reset }, t.plan.reset)),
        tastes,
        h("div", { class: "actions sticky" }, h("button", { type: "submit", class: "primary" }, t.plan.show))),
    ];
  });
  return wanted;
}

/** One of a few, side by side. */
export function choice(name: string, label: string, options: Record<string, string>, chosen: string, changed: (value: string) => void): HTMLElement {
  return h("fieldset", { class: "choice" },
    h("legend", {}, label),
    h("div", { class: "segments" },
      ...Object.entries(options).map(([value, text]) =>
        h("label", {},
          h("input", { type: "radio", name, value, checked: value === chosen, onchange: () => changed(value) }),
          h("span", {}, text)))));
}

function range(name: string, label: string, value: number, min: number, max: number, step: number, words: (value: number) => string, changed: (value: number) => void, icon: IconName): HTMLElement {
  const id = `range-${name}`;
  const said = h("output", { for: id }, words(value));
  const input = h("input", { type: "range", id, min, max, step, value, "aria-valuetext": words(value), oninput: () => {
    const now = Number(input.value);
    said.textContent = words(now);
    input.setAttribute("aria-valuetext", words(now));
    fill();
    changed(now);
  } });
  const fill = (): void => input.style.setProperty("--share", String((Number(input.value) - min) / (max - min)));
  fill();
  return h("div", { class: "range" }, h("label", { for: id }, svg(ICONS[icon], 18), label), said, input);
}

/** A combobox over the server's streets and sights (ARIA practices: combobox with a listbox). */
function placeSearch(near: { lat: number; lon: number }, chosen: Place | null, choose: (place: Place) => void): HTMLElement {
  const t = texts();
  let found: FoundPlace[] = [];
  let active = -1;
  let asking: AbortController | null = null;
  let timer = 0;
  const list = h("ul", { id: "places", role: "listbox", "aria-label": t.plan.where, hidden: true });
  const input = h("input", {
    type: "text", id: "where", role: "combobox", "aria-controls": "places", "aria-expanded": "false", "aria-autocomplete": "list",
    autocomplete: "off", spellcheck: "false", placeholder: t.plan.where, value: chosen?.name ?? "",
  });
  const mark = (index: number): void => {
    active = index;
    [...list.children].forEach((item, i) => item.setAttribute("aria-selected", String(i === index)));
    if (index >= 0) input.setAttribute("aria-activedescendant", `place-${index}`);
    else input.removeAttribute("aria-activedescendant");
    list.children[index]?.scrollIntoView({ block: "nearest" });
  };
  const hide = (): void => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    mark(-1);
  };
  const take = (index: number): void => {
    const place = found[index];
    if (place === undefined) return;
    input.value = place.name;
    choose({ name: place.name, lat: place.lat, lon: place.lon });
    announce(t.plan.chosen(place.name));
    hide();
  };
  const draw = (): void => {
    list.replaceChildren(
      ...found.map((place, index) =>
        h("li", { id: `place-${index}`, role: "option", "aria-selected": "false", onpointerdown: (event: PointerEvent) => event.preventDefault(), onclick: () => take(index) },
          h("span", {}, place.name), place.distance_m === undefined ? null : h("small", {}, length(place.distance_m)))));
    list.hidden = found.length === 0;
    input.setAttribute("aria-expanded", String(found.length > 0));
    announce(found.length > 0 ? t.plan.found(found.length) : t.plan.noPlace);
    mark(-1);
  };
  const search = async (): Promise<void> => {
    asking?.abort();
    const query = input.value.trim();
    if (query.length < 2) return hide();
    asking = new AbortController();
    try {
      found = await api.places(query, near.lat, near.lon, asking.signal);
      draw();
    } catch (error) {
      if (!(error instanceof DOMException)) announce(error instanceof Error ? error.message : t.errors.offline);
    }
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => void search(), PAUSE_MS);
  });
  input.addEventListener("blur", hide);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (found.length > 0) mark((active + (event.key === "ArrowDown" ? 1 : -1) + found.length) % found.length);
    } else if (event.key === "Enter" && !list.hidden) {
      event.preventDefault();
      take(Math.max(0, active));
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      event.stopPropagation();
      hide();
    }
  });
  return h("div", { class: "part search" }, h("label", { for: "where" }, svg(ICONS.search, 18), t.plan.where), input, list);
}
