/** A walk under way: positions out, updates in, drawn and told. */

import * as api from "./api";
import type { RouteUpdate, Trip } from "./api";
import { announce } from "./dom";
import type { Point } from "./geo";
import { differences, Guide, type Progress } from "./guide";
import { texts, updateWords } from "./i18n";
import type { WalkMap } from "./map";
import { Heading, type Fix, type Positions } from "./position";
import * as store from "./store";
import { Stream } from "./stream";
import type { Ended } from "./views/arrival";
import { insetsOf, type Frame } from "./views/frame";
import { NavigatorView } from "./views/navigator";
import { hush, say } from "./voice";

const OVER = new Set(["arrived", "ended", "expired"]);
const LOOK_MS = 5000;
const TOLD_FOR_MS = 12_000;
const BEGINS_WITHIN_S = 60; // a trip that was asked for
const AGAIN_MS = 1500;
const QUIET_MS = 6000; // a connection that is back sooner is not worth a word

export interface Outcome {
  ended: (ended: Ended) => void;
  gone: () => void;
}

export class Walking {
  private readonly view: NavigatorView;
  private readonly stream: Stream;
  private readonly heading = new Heading();
  private guide: Guide | null = null;
  private fix: Fix | null = null;
  private walkedM = 0;
  private following = true;
  private lookingUntil = 0;
  private reading: Promise<void> = Promise.resolve();
  private lock: { release(): Promise<void> } | null = null;
  private lost = 0;
  private over = false;

  constructor(
    private readonly trip: string,
    private readonly frame: Frame,
    private readonly positions: Positions,
    private map: WalkMap | null,
    private readonly outcome: Outcome,
  ) {
    this.view = new NavigatorView({ end: () => void this.end(), mute: () => this.mute(), other: () => void this.other() });
    this.stream = new Stream(
      store.get().walk?.lastEvent ?? null,
      (update, id) => this.told(update, id),
      (open) => this.connected(open));
  }

  start(): void {
    this.frame.panel.classList.add("navigator");
    this.frame.panel.replaceChildren(...this.view.bar);
    this.frame.top.before(this.view.banner, this.view.update);
    this.frame.panel.focus();
    this.view.showTrouble(texts().navigator.noPosition);
    if (this.map) this.useMap(this.map);
    this.reading = this.read(null);
    this.stream.start();
    this.positions.follow((fix) => this.moved(fix));
    void this.stayAwake();
    document.addEventListener("visibilitychange", this.awake);
  }

  useMap(map: WalkMap): void {
    this.map = map;
    map.setInsets(insetsOf(this.frame));
    map.onFreed = () => {
      this.following = false;
      document.body.classList.add("freed");
    };
    this.draw();
  }

  followAgain(): void {
    this.following = true;
    this.lookingUntil = 0;
    document.body.classList.remove("freed");
    this.draw();
  }

  // ---- what comes in

  private moved(fix: Fix): void {
    if (this.over) return;
    this.fix = fix;
    this.stream.send(fix);
    this.draw();
  }

  private told(update: RouteUpdate, id: string): void {
    if (update.trip !== this.trip || this.over) return;
    const walk = store.get().walk;
    if (walk) store.set({ walk: { ...walk, lastEvent: id } });
    if (OVER.has(update.reason)) {
      this.finish(update.reason === "arrived");
      return;
    }
    this.reading = this.reading.then(() => this.read(update));
  }

  /** Read the whole route, and show what an update changed. */
  private async read(update: RouteUpdate | null): Promise<void> {
    if (update !== null && this.guide !== null && update.version <= this.guide.trip.version) return;
    let trip: Trip;
    try {
      trip = await api.trip(this.trip, texts().language);
    } catch (error) {
      const unknown = error instanceof api.Refusal && error.status === 404;
      const age = Date.now() / 1000 - (store.get().walk?.beganAt ?? 0);
      if (unknown && (this.guide !== null || age > BEGINS_WITHIN_S)) this.leave(() => this.outcome.gone());
      else if (!this.over) setTimeout(() => (this.reading = this.reading.then(() => this.read(update))), AGAIN_MS);
      return;
    }
    if (this.over) return;
    if (trip.ended || OVER.has(trip.reason)) {
      this.finish(trip.reason === "arrived");
      return;
    }
    const before = this.guide;
    this.guide = new Guide(trip, before ? this.walkedM : 0);
    if (before === null) this.begin(this.guide);
    else this.changed(before, this.guide, trip);
    this.draw();
  }

  private begin(guide: Guide): void {
    const { points } = guide.line;
    this.map?.showEnds(points[0]!, store.get().walk?.kind === "to" ? points.at(-1)! : null);
    void this.map?.showRoute(points, this.fix === null);
    document.body.dataset["version"] = String(guide.trip.version);
  }

  private changed(before: Guide, after: Guide, trip: Trip): void {
    const words = updateWords(trip);
    const { old, added } = differences(before.line, after.line, this.walkedM);
    this.map?.showChange(old, added);
    this.view.showUpdate(words, trip.reason, trip.change?.cause, TOLD_FOR_MS);
    announce(words, true);
    say(words);
    this.measure();
    this.lookAround([...old, ...added].flat());
    document.body.dataset["version"] = String(trip.version);
    document.body.dataset["changed"] = `${old.length}/${added.length}`;
  }

  /** Show all of a change for a while, then the walker again. */
  private lookAround(changed: Point[]): void {
    if (!this.following || this.fix === null || changed.length === 0) return;
    this.lookingUntil = Date.now() + LOOK_MS;
    this.map?.fit([...changed, [this.fix.lon, this.fix.lat]]);
    setTimeout(() => this.draw(), LOOK_MS + 50);
  }

  private connected(open: boolean): void {
    clearTimeout(this.lost);
    document.body.dataset["connected"] = String(open);
    if (open) this.view.showTrouble(this.fix === null ? texts().navigator.noPosition : null);
    else this.lost = window.setTimeout(() => this.view.showTrouble(texts().navigator.noConnection), QUIET_MS);
  }

  // ---- what is shown

  private draw(): void {
    const { fix, guide } = this;
    if (fix === null) return;
    const here: Point = [fix.lon, fix.lat];
    const facing = this.heading.of(fix);
    if (guide === null) {
      this.place(here, facing);
      return;
    }
    const progress = guide.move(here, Math.min(fix.accuracy_m ?? 10, 30));
    this.walkedM = progress.alongM;
    this.place(progress.offRoute ? here : progress.point, facing ?? progress.bearingDeg);
    this.map?.showProgress(guide.line.slice(0, progress.alongM), guide.line.slice(progress.alongM, guide.line.lengthM));
    this.tell(guide, progress);
  }

  private place(point: Point, facing: number | null): void {
    this.map?.showPerson(point, facing);
    if (this.following && Date.now() > this.lookingUntil) this.map?.follow(point, facing);
  }

  private tell(guide: Guide, progress: Progress): void {
    if (document.body.dataset["connected"] === "true") this.view.showTrouble(null);
    const instruction = this.view.show(progress);
    if (instruction !== null) {
      this.measure();
      announce(instruction);
    }
    const spoken = guide.announcement(progress);
    if (spoken !== null) say(spoken);
  }

  private measure(): void {
    this.map?.setInsets(insetsOf(this.frame));
  }

  // ---- what the walker does

  private mute(): void {
    store.set({ voice: !store.get().voice });
    if (!store.get().voice) hush();
    this.view.showVoice();
  }

  private async other(): Promise<void> {
    try {
      await api.rate(this.trip, "dislike");
    } catch (error) {
      this.view.showTrouble(error instanceof api.Refusal ? error.message : texts().errors.offline);
    }
  }

  private async end(): Promise<void> {
    try {
      await api.end(this.trip);
    } catch (error) {
      if (!(error instanceof api.Refusal)) {
        this.view.showTrouble(texts().errors.offline);
        return;
      }
    }
    this.finish(false);
  }

  private finish(arrived: boolean): void {
    if (this.over) return;
    const beganAt = store.get().walk?.beganAt ?? Date.now() / 1000;
    const ended = { arrived, walkedM: this.walkedM, tookS: Date.now() / 1000 - beganAt };
    if (arrived) say(texts().arrival.title);
    announce(arrived ? texts().arrival.title : texts().arrival.ended, true);
    this.leave(() => this.outcome.ended(ended));
  }

  private leave(then: () => void): void {
    this.over = true;
    this.stream.stop();
    this.positions.stop();
    clearTimeout(this.lost);
    document.removeEventListener("visibilitychange", this.awake);
    void this.lock?.release();
    this.view.banner.remove();
    this.view.update.remove();
    this.frame.panel.classList.remove("navigator");
    document.body.classList.remove("freed");
    delete document.body.dataset["version"];
    delete document.body.dataset["changed"];
    if (this.map) this.map.onFreed = () => undefined;
    then();
  }

  // ---- the screen stays on

  private awake = (): void => {
    if (document.visibilityState === "visible") void this.stayAwake();
  };

  private async stayAwake(): Promise<void> {
    try {
      this.lock = await navigator.wakeLock.request("screen");
    } catch {
      // not supported, or the battery is low: the walk goes on without
    }
  }
}
