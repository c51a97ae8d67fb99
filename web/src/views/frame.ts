/** What is always there: map, bar at the top, panel, tools. */

import { h, liveRegions, svg } from "../dom";
import { texts } from "../i18n";
import { ICONS, type IconName } from "../icons";
import type { Insets } from "../map";

export interface Frame {
  map: HTMLElement;
  top: HTMLElement;
  panel: HTMLElement;
  tools: HTMLElement;
  notice: HTMLElement;
}

/** Put the frame into the page. */
export function frame(): Frame {
  const t = texts();
  const made: Frame = {
    map: h("div", { id: "map", "data-label": t.map }),
    top: h("div", { class: "top" }),
    panel: h("section", { class: "panel", tabindex: "-1" }),
    tools: h("div", { class: "tools" }),
    notice: h("div", { class: "notice", hidden: true }),
  };
  const credit = h("p", { class: "credit" }, "© ", h("a", { href: "https://www.openstreetmap.org/copyright", rel: "noreferrer", target: "_blank" }, "OpenStreetMap"));
  const root = document.getElementById("app")!;
  root.replaceChildren(h("h1", { class: "unseen" }, t.title), made.top, made.notice, made.panel, made.tools, made.map, credit, ...liveRegions());
  return made;
}

/** How much of the map the bar and the panel cover, and where the tools may stand. */
export function insetsOf(frame: Frame): Insets {
  const panel = frame.panel.getBoundingClientRect();
  const above = [frame.top, ...document.querySelectorAll(".banner, .update")].map((one) => one.getBoundingClientRect().bottom);
  const top = Math.max(...above);
  const beside = innerWidth >= 760;
  const covered = beside || panel.height === 0 ? 0 : Math.max(0, innerHeight - panel.top);
  document.documentElement.style.setProperty("--covered", `${covered}px`);
  return { top: beside ? 16 : top, right: 16, bottom: beside ? 16 : covered, left: beside ? panel.right : 16 };
}

export function iconButton(icon: IconName, label: string, onclick: () => void, classes = "round"): HTMLButtonElement {
  return h("button", { type: "button", class: classes, "aria-label": label, title: label, onclick }, svg(ICONS[icon], 22));
}

/** A modal dialog that is gone when it is closed; resolves when it is. */
export function openDialog(classes: string, title: string, build: (close: () => void) => Node[]): Promise<void> {
  return new Promise((done) => {
    const close = (): void => dialog.close();
    const heading = h("h2", { id: `${classes}-title` }, title);
    const dialog = h("dialog", { class: `sheet ${classes}`, "aria-labelledby": `${classes}-title` });
    dialog.append(h("header", {}, heading, iconButton("close", texts().close, close)), ...build(close));
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) close();
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      done();
    });
    document.getElementById("app")!.append(dialog);
    dialog.showModal();
  });
}
