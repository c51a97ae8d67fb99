/** The operators' map: a dot a walker, a flash an update. */

import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import { Map as BaseMap, Marker, setWorkerUrl, type GeoJSONSource } from "maplibre-gl";
import type { Area } from "./api";
import { stillness } from "./dom";
import { boundsOf, distanceM, type Point } from "./geo";
import { COLOURS, lines } from "./layers";

setWorkerUrl(workerUrl);

const AROUND_M = 8000;

export class WatchMap {
  private readonly base: BaseMap;
  private routes = new Map<string, Point[]>();
  private flashes = new Map<string, Point[]>();
  private walkers: { id: string; point: Point }[] = [];

  constructor(container: HTMLElement, private dark: boolean, private language: string) {
    this.base = new BaseMap({ container, style: this.style(), center: [0, 20], zoom: 2, attributionControl: false, fadeDuration: stillness() ? 0 : 150 });
    this.base.setPadding({ top: 0, bottom: innerWidth >= 760 ? 0 : innerHeight * 0.45, right: 0, left: innerWidth >= 760 ? 400 : 0 });
    this.base.on("style.load", () => this.install());
    this.base.getCanvas().setAttribute("aria-label", container.dataset["label"] ?? "");
  }

  setLook(dark: boolean, language: string): void {
    if (dark === this.dark && language === this.language) return;
    [this.dark, this.language] = [dark, language];
    this.base.setStyle(this.style(), { diff: false });
  }

  /** Draw everybody. */
  place(walkers: { id: string; point: Point }[]): void {
    this.walkers = walkers;
    this.base.getSource<GeoJSONSource>("walkers")?.setData({
      type: "FeatureCollection",
      features: walkers.map(({ id, point }) => ({ type: "Feature", properties: { id }, geometry: { type: "Point", coordinates: point } })),
    });
  }

  /** Draw a walker's new way, for a while in the colour of change. */
  flash(walker: string, points: Point[], at: Point | null, forMs: number): void {
    this.routes.set(walker, points);
    this.flashes.set(walker, points);
    this.draw();
    const ring = at === null ? null : new Marker({ element: ringElement() }).setLngLat(at).addTo(this.base);
    setTimeout(() => {
      ring?.remove();
      if (this.flashes.get(walker) === points) this.flashes.delete(walker);
      this.draw();
    }, forMs);
  }

  forget(walker: string): void {
    this.routes.delete(walker);
    this.draw();
  }

  show(point: Point): void {
    this.base.easeTo({ center: point, zoom: 15.5, animate: !stillness() });
  }

  fitArea(area: Area): void {
    this.base.fitBounds([[area.west, area.south], [area.east, area.north]], { padding: 24, animate: !stillness() });
  }

  /** Show the place where most of them are. */
  fitMost(points: Point[]): void {
    const near = (one: Point): Point[] => points.filter((other) => distanceM(one, other) < AROUND_M);
    const most = points.map(near).reduce((a, b) => (b.length > a.length ? b : a));
    const [west, south, east, north] = boundsOf(most);
    this.base.fitBounds([[west, south], [east, north]], { padding: 60, maxZoom: 15, animate: !stillness() });
  }

  private style(): string {
    return `/map/style/${this.dark ? "dark" : "light"}.json?lang=${this.language}`;
  }

  private draw(): void {
    this.base.getSource<GeoJSONSource>("routes")?.setData(lines([...this.routes.values()]));
    this.base.getSource<GeoJSONSource>("flashes")?.setData(lines([...this.flashes.values()]));
  }

  private install(): void {
    const colours = COLOURS[this.dark ? "dark" : "light"];
    for (const id of ["routes", "flashes", "walkers"]) if (!this.base.getSource(id)) this.base.addSource(id, { type: "geojson", data: lines([]) });
    const round = { "line-cap": "round", "line-join": "round" } as const;
    this.base.addLayer({ id: "routes", type: "line", source: "routes", layout: round, paint: { "line-color": colours.route, "line-width": 3, "line-opacity": 0.55 } });
    this.base.addLayer({ id: "flashes", type: "line", source: "flashes", layout: round, paint: { "line-color": colours.added, "line-width": 6 } });
    this.base.addLayer({ id: "walkers", type: "circle", source: "walkers", paint: { "circle-radius": 7, "circle-color": "#1c7dff", "circle-stroke-color": "#ffffff", "circle-stroke-width": 2.5 } });
    this.draw();
    this.place(this.walkers);
  }
}

function ringElement(): HTMLElement {
  const made = document.createElement("div");
  made.className = "ring";
  made.setAttribute("aria-hidden", "true");
  return made;
}
