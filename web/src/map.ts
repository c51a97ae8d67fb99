/** The map: base map, route, its changes, the person. Loaded apart from the rest, for MapLibre is large. */

import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import { Map as BaseMap, Marker, setWorkerUrl, type GeoJSONSource } from "maplibre-gl";
import { boundsOf, type Point } from "./geo";
import { addLayers, ARROW, arrowImage, COLOURS, lines, SOURCES, type SourceName } from "./layers";
import { stillness } from "./dom";

setWorkerUrl(workerUrl);

export interface Look {
  dark: boolean;
  language: string;
}

export interface Insets {
  top: number;
  right: number;
  bottom: number;
  left: number;
}

const STREET_ZOOM = 16;
const WALK_ZOOM = 17;
const FADE_MS = 9000;

export class WalkMap {
  /** Called when the person takes hold of the map. */
  onFreed: () => void = () => undefined;

  private readonly base: BaseMap;
  private readonly data: Record<SourceName, Point[][]> = { route: [], walked: [], old: [], added: [] };
  private puck: Marker | null = null;
  private ends: Marker[] = [];
  private fading = 0;

  constructor(container: HTMLElement, center: Point | null, zoom: number, private look: Look, private insets: Insets) {
    this.base = new BaseMap({
      container,
      style: styleAddress(look),
      center: center ?? [0, 20],
      zoom: center ? zoom : 1,
      minZoom: 2,
      maxZoom: 19,
      maxPitch: 60,
      attributionControl: false,
      fadeDuration: stillness() ? 0 : 150,
      // nothing outside of this server
      transformRequest: (url) => ({ url: new URL(url, location.href).href }),
    });
    this.base.on("style.load", () => this.install());
    addEventListener("online", () => {
      if (!this.base.isStyleLoaded()) this.base.setStyle(styleAddress(this.look), { diff: false });
    });
    this.base.on("dragstart", () => this.onFreed());
    this.base.getCanvas().setAttribute("aria-label", container.dataset["label"] ?? "");
  }

  get raw(): BaseMap {
    return this.base;
  }

  setLook(look: Look): void {
    if (look.dark === this.look.dark && look.language === this.look.language) return;
    this.look = look;
    this.base.setStyle(styleAddress(look), { diff: false });
  }

  setInsets(insets: Insets): void {
    this.insets = insets;
  }

  resize(): void {
    this.base.resize();
  }

  /** Draw a route from its start on; resolves once it is on the screen. */
  showRoute(points: Point[], fit: boolean): Promise<void> {
    cancelAnimationFrame(this.fading);
    Object.assign(this.data, { route: [points], walked: [], old: [], added: [] });
    for (const name of SOURCES) this.put(name);
    if (fit) this.fit(points);
    return this.drawn();
  }

  /** Draw what has been walked, and what lies ahead. */
  showProgress(walked: Point[], ahead: Point[]): void {
    Object.assign(this.data, { route: [ahead], walked: [walked] });
    this.put("route");
    this.put("walked");
  }

  /** Draw what is no longer walked, and what is instead; the difference fades. */
  showChange(old: Point[][], added: Point[][]): void {
    cancelAnimationFrame(this.fading);
    Object.assign(this.data, { old, added });
    this.put("old");
    this.put("added");
    const began = performance.now();
    const fade = (now: number): void => {
      const left = Math.max(0, 1 - (now - began) / FADE_MS);
      const beat = stillness() ? 1 : 0.65 + 0.35 * Math.cos((now - began) / 260);
      if (this.base.getLayer("route-old")) {
        this.base.setPaintProperty("route-old", "line-opacity", Math.min(0.9, left * 1.6));
        this.base.setPaintProperty("route-added", "line-opacity", Math.min(1, left * 2) * beat);
      }
      if (left > 0) this.fading = requestAnimationFrame(fade);
      else this.clearChange();
    };
    this.fading = requestAnimationFrame(fade);
  }

  clearRoute(): void {
    cancelAnimationFrame(this.fading);
    Object.assign(this.data, { route: [], walked: [], old: [], added: [] });
    for (const name of SOURCES) this.put(name);
    for (const marker of this.ends.splice(0)) marker.remove();
  }

  /** Mark where a walk begins (and where it ends, if that is elsewhere). */
  showEnds(start: Point, goal: Point | null): void {
    for (const marker of this.ends.splice(0)) marker.remove();
    this.ends.push(new Marker({ element: element("end-mark start") }).setLngLat(start).addTo(this.base));
    if (goal) this.ends.push(new Marker({ element: element("end-mark goal"), anchor: "bottom" }).setLngLat(goal).addTo(this.base));
  }

  /** Where the person is, and which way they face. */
  showPerson(point: Point, headingDeg: number | null): void {
    if (this.puck === null) {
      this.puck = new Marker({ element: element("puck"), rotationAlignment: "map", pitchAlignment: "map" });
      this.puck.setLngLat(point).addTo(this.base);
    }
    this.puck.setLngLat(point);
    this.puck.getElement().classList.toggle("faces", headingDeg !== null);
    if (headingDeg !== null) this.puck.setRotation(headingDeg);
  }

  /** Keep the person in view, what lies ahead of them upwards. */
  follow(point: Point, headingDeg: number | null): void {
    const camera = {
      center: point,
      zoom: Math.max(this.base.getZoom(), WALK_ZOOM),
      pitch: 45,
      bearing: headingDeg ?? this.base.getBearing(),
      padding: { ...this.insets, top: this.insets.top + this.base.getContainer().clientHeight * 0.25 },
    };
    if (stillness()) this.base.jumpTo(camera);
    else this.base.easeTo({ ...camera, duration: 900, essential: false });
  }

  flyTo(point: Point): void {
    this.base.easeTo({ center: point, zoom: STREET_ZOOM, bearing: 0, pitch: 0, padding: this.insets, animate: !stillness() });
  }

  fit(points: Point[]): void {
    if (points.length === 0) return;
    const [west, south, east, north] = boundsOf(points);
    const margin = 36;
    const padding = Object.fromEntries(Object.entries(this.insets).map(([side, inset]) => [side, inset + margin])) as unknown as Insets;
    const bounds = [[west, south], [east, north]] as [[number, number], [number, number]];
    this.base.setPadding({ top: 0, right: 0, bottom: 0, left: 0 });
    this.base.fitBounds(bounds, { padding, maxZoom: 17, bearing: 0, pitch: 0, duration: 600, animate: !stillness() && this.base.loaded() });
  }

  zoomBy(steps: number): void {
    this.base.zoomTo(this.base.getZoom() + steps, { animate: !stillness() });
  }

  private clearChange(): void {
    Object.assign(this.data, { old: [], added: [] });
    this.put("old");
    this.put("added");
  }

  private install(): void {
    const colours = COLOURS[this.look.dark ? "dark" : "light"];
    if (!this.base.hasImage(ARROW)) this.base.addImage(ARROW, arrowImage(colours.arrow), { pixelRatio: 2 });
    addLayers(this.base, colours);
    for (const name of SOURCES) this.put(name);
  }

  private put(name: SourceName): void {
    const source = this.base.getSource<GeoJSONSource>(`route-${name}`);
    source?.setData(lines(this.data[name]));
  }

  private drawn(): Promise<void> {
    return new Promise((done) => {
      const look = (): void => {
        if (!this.base.getSource("route-route") || !this.base.isSourceLoaded("route-route")) return;
        if (this.base.queryRenderedFeatures({ layers: ["route-line"] }).length === 0) return;
        this.base.off("render", look);
        done();
      };
      this.base.on("render", look);
      this.base.triggerRepaint();
    });
  }
}

function styleAddress(look: Look): string {
  return `/map/style/${look.dark ? "dark" : "light"}.json?lang=${look.language}`;
}

function element(classes: string): HTMLElement {
  const made = document.createElement("div");
  made.className = classes;
  made.setAttribute("aria-hidden", "true");
  return made;
}
