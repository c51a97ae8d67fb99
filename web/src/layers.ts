/** How routes are drawn on the base map, below its names. */

import type { Map as BaseMap } from "maplibre-gl";
import type { FeatureCollection } from "geojson";
import type { Point } from "./geo";

export const SOURCES = ["route", "walked", "old", "added"] as const;
export type SourceName = (typeof SOURCES)[number];
export const ARROW = "route-arrow";

export interface RouteColours {
  route: string;
  casing: string;
  walked: string;
  old: string;
  added: string;
  arrow: string;
}

export const COLOURS: Record<"light" | "dark", RouteColours> = {
  light: { route: "#5b45d6", casing: "#ffffff", walked: "#9b92c9", old: "#7d7788", added: "#ff8a1f", arrow: "#ffffff" },
  dark: { route: "#a392ff", casing: "#15131f", walked: "#6a6390", old: "#a39db0", added: "#ffb04d", arrow: "#1c1736" },
};

const wide = (at14: number, at18: number): unknown[] => ["interpolate", ["exponential", 1.5], ["zoom"], 13, at14, 18, at18];

export function addLayers(map: BaseMap, colours: RouteColours): void {
  const firstName = map.getStyle().layers.find((layer) => layer.type === "symbol")?.id;
  for (const name of SOURCES) {
    if (!map.getSource(`route-${name}`)) map.addSource(`route-${name}`, { type: "geojson", data: lines([]), tolerance: 0.2 });
  }
  const line = (id: string, source: SourceName, colour: string, width: unknown[], more: Record<string, unknown> = {}): void => {
    if (map.getLayer(id)) return;
    map.addLayer(
      {
        id,
        type: "line",
        source: `route-${source}`,
        layout: { "line-cap": more["line-dasharray"] ? "butt" : "round", "line-join": "round" },
        paint: { "line-color": colour, "line-width": width as never, ...more },
      },
      firstName,
    );
  };
  line("route-walked", "walked", colours.walked, wide(3, 7), { "line-opacity": 0.75 });
  line("route-old", "old", colours.old, wide(3, 7), { "line-dasharray": [1.2, 1.2] });
  line("route-casing", "route", colours.casing, wide(7, 16), { "line-opacity": 0.95 });
  line("route-line", "route", colours.route, wide(4, 10));
  line("route-added", "added", colours.added, wide(5, 12));
  if (map.getLayer("route-arrows")) return;
  map.addLayer(
    {
      id: "route-arrows",
      type: "symbol",
      source: "route-route",
      minzoom: 13.5,
      layout: {
        "symbol-placement": "line",
        "symbol-spacing": 90,
        "icon-image": ARROW,
        "icon-size": ["interpolate", ["linear"], ["zoom"], 13, 0.6, 18, 1.1] as never,
        "icon-allow-overlap": true,
        "icon-ignore-placement": true,
        "icon-padding": 0,
      },
    },
    firstName,
  );
}

export function lines(parts: Point[][]): FeatureCollection {
  return {
    type: "FeatureCollection",
    features: parts
      .filter((points) => points.length > 1)
      .map((points) => ({ type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: points } })),
  };
}

/** A small arrow head that points along the line. */
export function arrowImage(colour: string): ImageData {
  const size = 24;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  const draw = canvas.getContext("2d")!;
  draw.strokeStyle = colour;
  draw.lineWidth = 4;
  draw.lineCap = draw.lineJoin = "round";
  draw.beginPath();
  draw.moveTo(9, 6);
  draw.lineTo(15, 12);
  draw.lineTo(9, 18);
  draw.stroke();
  return draw.getImageData(0, 0, size, size);
}
