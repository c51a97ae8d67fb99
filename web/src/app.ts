/** The page's two states: proposing walks until one is liked, and walking it. */

import * as api from "./api";
import type { Proposal, Wish } from "./api";
import { announce, h, svg } from "./dom";
import { decode6, type Point } from "./geo";
import { duration, texts } from "./i18n";
import { ICONS } from "./icons";
import type { WalkMap } from "./map";
import type { Fix, Positions } from "./position";
import * as store from "./store";
import { nudged, weightsOf } from "./taste";
import { followTheme, isDark } from "./theme";
import { arrivalCard, type Ended } from "./views/arrival";
import { frame, iconButton, insetsOf, type Frame } from "./views/frame";
import { openPlan } from "./views/plan";
import { failureCard, proposalCard, proposalWords, waitingCard, type DislikeReason } from "./views/proposal";
import { openSettings } from "./views/settings";
import { Walking } from "./walking";

const MOST_AVOIDED = 12;
const SHORTER = 0.7;
const SHORTEST_MIN = 15;

export class App {
  /** Resolves when the first route is on the screen (or cannot be). */
  readonly shown: Promise<void>;

  private frame!: Frame;
  private map: WalkMap | null = null;
  private here: { lat: number; lon: number } | null = null;
  private positions!: Positions;
  private proposal: Proposal | null = null;
  private walking: Walking | null = null;
  private asked = 0;
  private language = "";
  private tellShown!: () => void;

  constructor(
    private readonly comingPositions: Promise<Positions>,
    private readonly comingMap: Promise<typeof import("./map")>,
  ) {
    this.shown = new Promise((done) => (this.tellShown = done));
  }

  async start(): Promise<void> {
    this.build();
    this.card(waitingCard(false));
    const areas = api.coverage().catch(() => []);
    this.positions = await this.comingPositions;
    const fix = await this.positions.first();
    this.here = fix ?? null;
    const all = await areas;
    const covered = (lat: number, lon: number): boolean =>
      all.some((area) => area.west <= lon && lon <= area.east && area.south <= lat && lat <= area.north);
    if (all.length > 0 && (this.here === null || !covered(this.here.lat, this.here.lon))) {
      if (this.here !== null) this.notice(texts().errors.noMap);
      const area = all[0]!;
      this.here = { lat: (area.south + area.north) / 2, lon: (area.west + area.east) / 2 };
    }
    if (this.positions.recorded) {
      this.notice(texts().demo);
      const end = this.positions.end;
      if (end !== null) store.set({ kind: "to", destination: { name: texts().demoEnd, lat: end[1], lon: end[0] } });
    }
    void this.openMap(fix);
    const walk = store.get().walk;
    if (walk !== null) this.walk(walk.trip);
    else await this.propose();
  }

  // ---- what is always there

  private build(): void {
    const t = texts();
    this.language = t.language;
    document.documentElement.lang = t.language;
    document.title = t.title;
    this.frame = frame();
    this.frame.top.append(
      h("button", { type: "button", class: "pill wish", onclick: () => void this.plan() }, svg(ICONS.sliders, 20), h("span", { class: "wish-words" })),
      iconButton("gear", t.settings, () => void this.settings()));
    this.frame.tools.append(
      iconButton("plus", t.zoomIn, () => this.map?.zoomBy(1), "round zoom"),
      iconButton("minus", t.zoomOut, () => this.map?.zoomBy(-1), "round zoom"),
      iconButton("locate", t.locate, () => this.locate()));
    for (const event of ["resized", "toggle"]) this.frame.panel.addEventListener(event, () => this.grown(), true);
    addEventListener("resize", () => this.measure());
    followTheme(() => this.map?.setLook(this.look()));
    store.onChange(() => this.wishWords());
    this.wishWords();
  }

  private async openMap(fix: Fix | null): Promise<void> {
    try {
      const { WalkMap } = await this.comingMap;
      const centre: Point | null = this.here ? [this.here.lon, this.here.lat] : null;
      this.map = new WalkMap(this.frame.map, centre, 14, this.look(), insetsOf(this.frame));
    } catch {
      this.notice(texts().errors.noWebGl);
      this.tellShown();
      return;
    }
    if (fix !== null) this.map.showPerson([fix.lon, fix.lat], null);
    if (this.walking) this.walking.useMap(this.map);
    else if (this.proposal) void this.showOnMap(this.proposal);
  }

  private look(): { dark: boolean; language: string } {
    return { dark: isDark(), language: texts().language };
  }

  private card(nodes: Node[]): void {
    this.frame.panel.replaceChildren(...nodes);
    this.measure();
  }

  private measure(): void {
    this.map?.setInsets(insetsOf(this.frame));
  }

  /** The card shows more or less than before: keep the route in sight, and what was opened. */
  private grown(): void {
    this.measure();
    this.frame.panel.scrollTo({ top: this.frame.panel.scrollHeight });
    if (this.proposal && !this.walking) this.map?.fit(decode6(this.proposal.geometry));
  }

  private notice(words: string): void {
    this.frame.notice.textContent = words;
    this.frame.notice.hidden = false;
    announce(words);
    setTimeout(() => (this.frame.notice.hidden = true), 6000);
  }

  private wishWords(): void {
    const t = texts();
    const { kind, minutes, destination } = store.get();
    const words = kind === "to" && destination ? t.wayTo(destination.name) : `${t.loop} · ${duration(minutes * 60)}`;
    this.frame.top.querySelector(".wish-words")!.textContent = words;
    this.frame.top.querySelector(".wish")!.setAttribute("aria-label", `${words}. ${t.change}`);
  }

  // ---- proposing

  private async propose(disliked = false): Promise<void> {
    const turn = ++this.asked;
    document.body.dataset["state"] = "proposing";
    this.frame.panel.setAttribute("aria-busy", "true");
    this.card(waitingCard(disliked));
    try {
      const proposal = await this.different();
      if (turn !== this.asked) return;
      this.proposal = proposal;
      this.card(proposalCard(proposal, this.answers()));
      announce(proposalWords(proposal));
      await this.showOnMap(proposal);
    } catch (error) {
      if (turn !== this.asked) return;
      const sentence = error instanceof api.Refusal ? error.message : texts().errors.offline;
      this.card(failureCard(sentence, this.answers()));
      this.tellShown();
    } finally {
      if (turn === this.asked) this.frame.panel.removeAttribute("aria-busy");
    }
  }

  /** A proposal unlike the disliked ones; of these the oldest are let go where nothing else is left. */
  private async different(): Promise<Proposal> {
    for (let avoid = store.get().disliked.slice(-MOST_AVOIDED); ; avoid = avoid.slice(-Math.floor(avoid.length / 2))) {
      try {
        return (await api.propose(this.wish(), avoid))[0]!;
      } catch (error) {
        if (!(error instanceof api.Refusal) || error.status !== 422 || avoid.length === 0) throw error;
        if (avoid.length === 1) avoid = [];
        store.set({ disliked: avoid });
      }
    }
  }

  private wish(): Wish {
    const { kind, minutes, destination, levels } = store.get();
    const here = this.here ?? { lat: 0, lon: 0 };
    const taste = weightsOf(levels);
    const more = Object.keys(taste).length > 0 ? { taste } : {};
    const from = { lat: here.lat, lon: here.lon };
    if (kind === "to" && destination !== null) return { kind, ...from, dest_lat: destination.lat, dest_lon: destination.lon, ...more };
    return { kind: "loop", ...from, duration_s: minutes * 60, ...more };
  }

  private async showOnMap(proposal: Proposal): Promise<void> {
    if (this.map === null) return;
    const points = decode6(proposal.geometry);
    this.map.showEnds(points[0]!, store.get().kind === "to" ? points.at(-1)! : null);
    await this.map.showRoute(points, true);
    if (!performance.getEntriesByName("first-route").length) performance.mark("first-route");
    document.body.dataset["drawn"] = proposal.id;
    this.tellShown();
  }

  private answers(): { like: () => void; dislike: (reason: DislikeReason) => void; retry: () => void; change: () => void } {
    return {
      like: () => void this.like(),
      dislike: (reason) => this.dislike(reason),
      retry: () => void this.propose(),
      change: () => void this.plan(),
    };
  }

  private dislike(reason: DislikeReason): void {
    const { proposal } = this;
    if (proposal === null) return;
    const { disliked, levels, minutes } = store.get();
    void api.rate(proposal.id, "dislike", reason).catch(() => undefined); // the next proposal matters more
    store.set({
      disliked: [...disliked.filter((id) => id !== proposal.id), proposal.id].slice(-MOST_AVOIDED),
      ...(reason === "too_loud" ? { levels: nudged(levels, "quiet") } : {}),
      ...(reason === "not_green" ? { levels: nudged(levels, "green") } : {}),
      ...(reason === "boring" ? { levels: nudged(levels, "sights") } : {}),
      ...(reason === "too_long" ? { minutes: Math.max(SHORTEST_MIN, Math.round((minutes * SHORTER) / 5) * 5) } : {}),
    });
    this.frame.panel.focus();
    void this.propose(true);
  }

  private async like(): Promise<void> {
    const { proposal } = this;
    if (proposal === null) return;
    try {
      void api.rate(proposal.id, "like").catch(() => undefined); // the walk matters more
      const trip = await api.start(this.wish(), proposal.id);
      store.set({ walk: { trip, proposal: proposal.id, beganAt: Date.now() / 1000, kind: store.get().kind, lastEvent: null } });
      this.walk(trip);
    } catch (error) {
      this.notice(error instanceof api.Refusal ? error.message : texts().errors.offline);
    }
  }

  // ---- walking

  private walk(trip: string): void {
    document.body.dataset["state"] = "walking";
    delete document.body.dataset["drawn"];
    this.asked++;
    this.walking = new Walking(trip, this.frame, this.positions, this.map, {
      ended: (ended) => this.arrived(ended),
      gone: () => {
        store.set({ walk: null });
        this.walking = null;
        void this.propose();
      },
    });
    this.walking.start();
    this.tellShown();
  }

  private arrived(ended: Ended): void {
    const walk = store.get().walk;
    document.body.dataset["state"] = "arrived";
    store.set({ walk: null });
    this.walking = null;
    this.proposal = null;
    this.map?.clearRoute();
    const rate = (stars: number): void => void api.rate(walk?.proposal ?? "", stars).catch(() => undefined);
    const again = (): void => {
      void this.positions.first().then((fix) => {
        this.here = fix ?? this.here;
        void this.propose();
      });
    };
    this.card(arrivalCard(ended, rate, again));
    this.frame.panel.querySelector<HTMLElement>("h2")?.focus();
  }

  // ---- what the person asks for

  private async plan(): Promise<void> {
    if (await openPlan(this.here ?? { lat: 0, lon: 0 })) await this.propose();
  }

  private async settings(): Promise<void> {
    const erased = await openSettings();
    if (texts().language !== this.language || erased) location.reload();
  }

  private locate(): void {
    if (this.walking) this.walking.followAgain();
    else void this.positions.first().then((fix) => {
      if (fix === null) return;
      this.map?.showPerson([fix.lon, fix.lat], null);
      this.map?.flyTo([fix.lon, fix.lat]);
    });
  }
}
