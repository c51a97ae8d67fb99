/** The card of a proposed walk: what it takes, why it is nice, and what the person thinks of it. */

import type { Proposal } from "../api";
import { h, svg } from "../dom";
import { clock, duration, length, listed, texts } from "../i18n";
import { FACTOR_ICON, ICONS, type IconName } from "../icons";
import { get } from "../store";

export type DislikeReason = "other" | "too_long" | "too_loud" | "not_green" | "boring" | "seen";
export const DISLIKE_REASONS: readonly DislikeReason[] = ["other", "too_long", "too_loud", "not_green", "boring", "seen"];

export interface Answers {
  like: () => void;
  dislike: (reason: DislikeReason) => void;
  retry: () => void;
  change: () => void;
}

export function proposalCard(proposal: Proposal, answers: Answers): Node[] {
  const t = texts();
  const arrival = Date.now() / 1000 + proposal.duration_s;
  const { kind, destination } = get();
  const to = kind === "to" ? t.wayTo(destination?.name ?? t.destination) : t.loopFrom;
  return [
    h("h2", { class: "eyebrow" }, h("span", {}, to), h("span", { class: "arrival" }, (kind === "to" ? t.thereAt : t.backAt)(clock(arrival)))),
    h("p", { class: "figures" }, h("strong", {}, duration(proposal.duration_s)), h("span", {}, length(proposal.length_m))),
    reasonList(proposal),
    proposal.via.length > 0 ? h("p", { class: "via" }, t.via(listed(proposal.via.slice(0, 3)))) : h("span"),
    comparison(proposal),
    actions(answers),
  ];
}

/** What is told of a proposal to those who do not see it. */
export function proposalWords(proposal: Proposal): string {
  const t = texts();
  return t.proposed(`${duration(proposal.duration_s)}, ${length(proposal.length_m)}`, listed(proposal.words[t.language] ?? []));
}

export function waitingCard(other: boolean): Node[] {
  const t = texts();
  return [
    h("p", { class: "waiting" }, other ? t.searchingOther : t.searching),
    h("div", { class: "bone wide" }),
    h("div", { class: "bone" }),
    h("div", { class: "bone short" }),
  ];
}

export function failureCard(sentence: string, answers: Answers): Node[] {
  const t = texts();
  return [
    h("p", { class: "failure", role: "alert" }, sentence),
    h("div", { class: "actions" },
      h("button", { type: "button", class: "primary", onclick: answers.retry }, t.tryAgain),
      h("button", { type: "button", onclick: answers.change }, t.change)),
  ];
}

function reasonList(proposal: Proposal): HTMLElement {
  const words = proposal.words[texts().language] ?? proposal.words["en"] ?? [];
  const items = proposal.reasons.map((code, index) => {
    const kind = code.startsWith("but_") || code === "longer" ? "but" : "good";
    return h("li", { class: `${kind} ${factorOf(code)}` }, svg(ICONS[iconOf(code)], 18), capital(words[index] ?? code));
  });
  return h("ul", { class: "reasons" }, ...items);
}

function factorOf(code: string): string {
  return /^(?:but_)?(?:less|more)_(.+)$/.exec(code)?.[1] ?? code;
}

function iconOf(code: string): IconName {
  const factor = factorOf(code);
  if (code === "longer" || code === "quickest") return "clock";
  if (factor === "noise" && code.includes("more")) return "noise";
  return FACTOR_ICON[factor] ?? "sparkle";
}

function capital(words: string): string {
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

const COMPARED: [key: "quiet" | "green" | "water" | "sights" | "amenities", factor: string][] = [
  ["quiet", "noise"], ["green", "green"], ["water", "water"], ["sights", "sights"], ["amenities", "amenities"],
];

/** Bars of what the way is like, with a mark where the ways around are. */
function comparison(proposal: Proposal): HTMLElement {
  const t = texts();
  const rows = COMPARED.map(([key, factor]) => {
    const share = (values: Record<string, number>): number => (factor === "noise" ? 1 - (values[factor] ?? 0) : (values[factor] ?? 0));
    const [is, usual] = [Math.round(share(proposal.scores) * 100), Math.round(share(proposal.usual) * 100)];
    const bar = h("span", { class: "bar", "aria-hidden": "true" }, h("span", { class: `fill ${factor}` }), h("span", { class: "mark" }));
    (bar.children[0] as HTMLElement).style.width = `${is}%`;
    (bar.children[1] as HTMLElement).style.left = `${usual}%`;
    return h("li", {}, h("span", {}, t.tastes[key]), bar, h("span", { class: "percent" }, `${is} %`, h("span", { class: "unseen" }, `, ${t.usualWay} ${usual} %`)));
  });
  return h("details", { class: "compared" }, h("summary", {}, t.compared), h("ul", {}, ...rows));
}

function actions(answers: Answers): HTMLElement {
  const t = texts();
  const chips = h("div", { class: "chips", role: "group", "aria-label": t.whyNot, hidden: true },
    h("p", {}, t.whyNot),
    ...DISLIKE_REASONS.map((reason) => h("button", { type: "button", class: "chip", "data-reason": reason, onclick: () => answers.dislike(reason) }, t.dislikeReasons[reason])));
  const other = h("button", { type: "button", class: "dislike", "aria-expanded": "false", onclick: () => {
    chips.hidden = !chips.hidden;
    other.setAttribute("aria-expanded", String(!chips.hidden));
    chips.dispatchEvent(new CustomEvent("resized", { bubbles: true }));
    if (!chips.hidden) chips.querySelector("button")?.focus();
  } }, svg(ICONS.again, 20), t.dislike);
  const like = h("button", { type: "button", class: "primary like", onclick: answers.like }, svg(ICONS.walk, 20), t.like);
  return h("div", {}, h("div", { class: "actions" }, like, other), chips);
}
