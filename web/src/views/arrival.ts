/** The end of a walk: how it was, and another one. */

import { announce, h, svg } from "../dom";
import { duration, length, texts } from "../i18n";
import { ICONS } from "../icons";

export interface Ended {
  arrived: boolean;
  walkedM: number;
  tookS: number;
}

export function arrivalCard(ended: Ended, rate: (stars: number) => void, again: () => void): Node[] {
  const t = texts().arrival;
  const thanks = h("p", { class: "thanks", role: "status" });
  const stars = [1, 2, 3, 4, 5].map((n) =>
    h("label", { class: "star" },
      h("input", { type: "radio", name: "stars", value: n, "aria-label": t.stars(n), onchange: () => {
        stars.forEach((star, index) => star.classList.toggle("full", index < n));
        thanks.textContent = t.thanks;
        announce(t.thanks);
        rate(n);
      } }),
      svg(ICONS.star, 34)));
  return [
    h("p", { class: "burst", "aria-hidden": "true" }, svg(ICONS.flag, 30)),
    h("h2", { class: "done", tabindex: "-1" }, ended.arrived ? t.title : t.ended),
    h("p", { class: "walked" }, t.walked(length(ended.walkedM), duration(ended.tookS))),
    h("fieldset", { class: "stars" }, h("legend", {}, t.how), h("div", {}, ...stars)),
    thanks,
    h("div", { class: "actions" }, h("button", { type: "button", class: "primary", onclick: again }, t.again)),
  ];
}
