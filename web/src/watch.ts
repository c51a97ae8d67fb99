/** The operators' page: everybody who walks now on one map, and every route update as it is pushed. */

import "./style/main.css";
import "./style/watch.css";
import * as api from "./api";
import type { Area, RouteUpdate } from "./api";
import { decode6, type Point } from "./geo";
import { h, liveRegions } from "./dom";
import { clock, texts, updateWords } from "./i18n";
import { isDark, followTheme } from "./theme";
import type { WatchMap } from "./watchMap";

const GONE_S = 120; // who has not moved for so long is no longer shown
const MOST_LISTED = 60;
const FLASH_MS = 6000;

interface Walker {
  id: string;
  point: Point;
  seen: number;
}

type Told = RouteUpdate & { walker: string };

class Watching {
  private readonly walkers = new Map<string, Walker>();
  private readonly count = h("p", { class: "count", role: "status" });
  private readonly list = h("ol", { class: "updates", tabindex: "0", "aria-label": texts().watch.updates });
  private readonly state = h("p", { class: "trouble", role: "status", hidden: true });
  private readonly areas = h("nav", { class: "areas", "aria-label": texts().watch.cities });
  private map: WatchMap | null = null;
  private fitted = false;

  async start(): Promise<void> {
    const t = texts();
    document.documentElement.lang = t.language;
    document.title = `${t.title}: ${t.watch.title}`;
    const map = h("div", { id: "map", "data-label": t.map });
    this.list.append(h("li", { class: "none" }, t.watch.none));
    document.getElementById("app")!.replaceChildren(
      h("section", { class: "panel watch", "aria-label": t.watch.title },
        h("h1", {}, t.watch.title), this.count, this.state, this.areas, h("h2", {}, t.watch.updates), this.list),
      map,
      h("p", { class: "credit" }, "© ", h("a", { href: "https://www.openstreetmap.org/copyright", rel: "noreferrer", target: "_blank" }, "OpenStreetMap")),
      ...liveRegions());
    followTheme(() => this.map?.setLook(isDark(), texts().language));
    this.showCount();
    this.listen();
    setInterval(() => this.showWalkers(), 1000);
    const areas = await api.coverage().catch(() => []);
    const { WatchMap } = await import("./watchMap");
    this.map = new WatchMap(map, isDark(), t.language);
    this.showAreas(areas);
  }

  private listen(): void {
    const t = texts().watch;
    const key = location.hash.slice(1);
    const events = new EventSource(`/v1/watch${key ? `?token=${encodeURIComponent(key)}` : ""}`);
    events.addEventListener("open", () => this.trouble(null));
    events.addEventListener("error", () => this.trouble(events.readyState === EventSource.CLOSED ? t.notAllowed : t.lost));
    events.addEventListener("positions", (event) => {
      const told = JSON.parse(String((event as MessageEvent).data)) as { walkers: { walker: string; lat: number; lon: number }[] };
      for (const { walker, lat, lon } of told.walkers) this.walkers.set(walker, { id: walker, point: [lon, lat], seen: Date.now() });
      this.showWalkers();
    });
    events.addEventListener("update", (event) => this.told(JSON.parse(String((event as MessageEvent).data)) as Told));
  }

  private trouble(words: string | null): void {
    this.state.hidden = words === null;
    this.state.textContent = words ?? "";
  }

  private told(update: Told): void {
    const points = decode6(update.geometry ?? "");
    const at = this.walkers.get(update.walker)?.point ?? points[0];
    this.map?.flash(update.walker, points, at ?? null, FLASH_MS);
    this.list.querySelector(".none")?.remove();
    const go = (): void => {
      if (at) this.map?.show(at);
    };
    const item = h("li", { class: update.reason },
      h("button", { type: "button", onclick: go },
        h("time", {}, clock(Date.now() / 1000)),
        h("span", { class: "who" }, update.walker.slice(0, 4)),
        h("span", { class: "what" }, updateWords(update))));
    this.list.prepend(item);
    while (this.list.children.length > MOST_LISTED) this.list.lastElementChild!.remove();
    if (update.reason === "ended" || update.reason === "arrived" || update.reason === "expired") this.map?.forget(update.walker);
  }

  private showWalkers(): void {
    for (const walker of this.walkers.values()) {
      if (Date.now() - walker.seen > GONE_S * 1000) this.walkers.delete(walker.id);
    }
    this.map?.place([...this.walkers.values()]);
    this.showCount();
    if (!this.fitted && this.map && this.walkers.size > 0) {
      this.fitted = true;
      this.map.fitMost([...this.walkers.values()].map((walker) => walker.point));
    }
  }

  private showCount(): void {
    const words = texts().watch.walkers(this.walkers.size);
    if (this.count.textContent !== words) this.count.textContent = words;
  }

  private showAreas(areas: Area[]): void {
    this.areas.replaceChildren(...areas.map((area) =>
      h("button", { type: "button", class: "chip", onclick: () => this.map?.fitArea(area) }, area.name)));
    if (areas[0] && this.walkers.size === 0) this.map?.fitArea(areas[0]);
  }
}

void new Watching().start();
