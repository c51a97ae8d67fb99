/** The walker's page: proposes a walk at once, then leads along it. */

import "./style/main.css";
import { App } from "./app";
import { texts } from "./i18n";
import { Geolocated, Recorded, type Positions } from "./position";

const asked = new URLSearchParams(location.search);

async function positions(): Promise<Positions> {
  if (!asked.has("demo")) return new Geolocated();
  return Recorded.load("/demo/walk.json", Math.min(8, Math.max(0.5, Number(asked.get("speed") ?? 1) || 1)));
}

document.documentElement.lang = texts().language;
// both are needed for the first route on the screen: neither waits for the other
const map = import("./map");
const app = new App(positions(), map);
void app.start();

/** Let the service worker keep what was loaded before it was there; the browser has it still. */
async function keepMap(): Promise<void> {
  const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
  await Promise.allSettled(loaded.filter((name) => new URL(name).pathname.startsWith("/map/")).map((name) => fetch(name)));
  document.body.dataset["kept"] = "true";
}

if ("serviceWorker" in navigator && import.meta.env.PROD) {
  const first = navigator.serviceWorker.controller === null;
  if (first) navigator.serviceWorker.addEventListener("controllerchange", () => void keepMap(), { once: true });
  // what the first route needs comes first
  void app.shown.then(() => navigator.serviceWorker.register("/sw.js"));
}
