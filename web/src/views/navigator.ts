/** The navigator's banner and bar: what comes next, what is left, what changed and why. */

import { h, svg } from "../dom";
import type { Progress } from "../guide";
import { clock, duration, length, texts } from "../i18n";
import { ICONS, maneuverIcon, type IconName } from "../icons";
import { get } from "../store";
import { iconButton } from "./frame";

export interface Controls {
  end: () => void;
  mute: () => void;
  other: () => void;
}

const CAUSE_ICON: Record<string, IconName> = {
  closed: "closed", traffic: "car", rain: "umbrella", wind: "air", heat: "sun", dark: "lamp", aqi: "air", crowd: "people",
};

/** Elements that stay while their contents change. */
export class NavigatorView {
  readonly banner = h("div", { class: "banner" });
  readonly update = h("div", { class: "update", hidden: true });
  readonly bar: Node[];

  private readonly sign = h("span", { class: "sign" });
  private readonly distance = h("span", { class: "distance" });
  private readonly instruction = h("span", { class: "instruction" });
  private readonly then = h("span", { class: "then" });
  private readonly time = h("strong");
  private readonly left = h("span");
  private readonly arrival = h("span", { class: "arrival" });
  private readonly done = h("progress", { max: 1, value: 0 });
  private readonly trouble = h("p", { class: "trouble", hidden: true });
  private readonly mute: HTMLButtonElement;
  private hiding = 0;
  private shown = "";

  constructor(controls: Controls) {
    const t = texts();
    this.banner.append(this.sign, h("p", {}, this.distance, this.instruction), this.then);
    this.instruction.textContent = t.navigator.starting;
    this.sign.append(svg(ICONS.walk, 40));
    this.mute = iconButton("voice", "", controls.mute, "round mute");
    this.showVoice();
    const sure = h("div", { class: "sure", hidden: true },
      h("p", {}, t.navigator.endSure),
      h("div", { class: "actions" },
        h("button", { type: "button", class: "danger", onclick: controls.end }, t.navigator.endYes),
        h("button", { type: "button", onclick: () => { sure.hidden = true; end.focus(); } }, t.navigator.endNo)));
    const end = h("button", { type: "button", class: "end", onclick: () => {
      sure.hidden = false;
      sure.querySelector("button")?.focus();
    } }, t.navigator.end);
    this.done.setAttribute("aria-label", t.navigator.walkedOf(""));
    this.bar = [
      h("h2", { class: "unseen" }, t.navigator.title),
      this.done,
      this.trouble,
      h("div", { class: "bar-row" },
        h("p", { class: "figures" }, this.time, this.left, this.arrival),
        this.mute,
        iconButton("again", t.navigator.other, controls.other, "round other"),
        end),
      sure,
    ];
  }

  /** Draw where the walker is; returns the instruction if it is another one than before. */
  show(progress: Progress): string | null {
    const t = texts();
    const next = progress.next;
    this.time.textContent = duration(progress.leftS);
    this.left.textContent = length(progress.leftM);
    this.arrival.textContent = clock(Date.now() / 1000 + progress.leftS);
    this.arrival.setAttribute("aria-label", `${t.navigator.arrival} ${this.arrival.textContent}`);
    this.done.value = progress.alongM / Math.max(1, progress.alongM + progress.leftM);
    this.done.setAttribute("aria-label", t.navigator.walkedOf(length(progress.alongM)));
    if (progress.offRoute || next === null) {
      this.sign.replaceChildren(svg(ICONS[progress.offRoute ? "again" : "flag"], 40));
      this.distance.textContent = "";
      this.instruction.textContent = progress.offRoute ? t.navigator.offRoute : t.navigator.starting;
      this.then.replaceChildren();
      return this.changed(this.instruction.textContent);
    }
    const { type, modifier, instruction } = next.step.maneuver;
    this.sign.replaceChildren(svg(ICONS[maneuverIcon(type, modifier)], 40));
    this.distance.textContent = length(next.inM);
    this.instruction.textContent = instruction;
    const after = progress.then?.maneuver;
    this.then.replaceChildren(...(after ? [h("span", {}, t.navigator.then), svg(ICONS[maneuverIcon(after.type, after.modifier)], 20)] : []));
    return this.changed(instruction);
  }

  /** Say what changed and why, for a while. */
  showUpdate(words: string, reason: string, cause: string | undefined, forMs: number): void {
    clearTimeout(this.hiding);
    const icon = CAUSE_ICON[cause ?? ""] ?? (reason === "better" ? "sparkle" : "again");
    this.update.className = `update ${reason} ${cause ?? ""}`;
    this.update.replaceChildren(h("span", { class: "sign" }, svg(ICONS[icon], 22)), h("p", {}, words));
    this.update.hidden = false;
    this.hiding = window.setTimeout(() => {
      this.update.hidden = true;
    }, forMs);
  }

  showTrouble(words: string | null): void {
    this.trouble.hidden = words === null;
    this.trouble.textContent = words ?? "";
  }

  showVoice(): void {
    const t = texts().navigator;
    const on = get().voice;
    this.mute.replaceChildren(svg(ICONS[on ? "voice" : "mute"], 22));
    this.mute.setAttribute("aria-label", on ? t.mute : t.unmute);
    this.mute.title = on ? t.mute : t.unmute;
  }

  private changed(words: string): string | null {
    if (words === this.shown) return null;
    this.shown = words;
    return words;
  }
}
