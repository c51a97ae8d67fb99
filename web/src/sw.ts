/** The service worker: the app opens without a network, and so does the map of where one has been. */

/// <reference lib="webworker" />

const scope = self as unknown as ServiceWorkerGlobalScope;
const { version, paths } = JSON.parse("__SHELL__") as { version: string; paths: string[] };
const SHELL = `shell-${version}`;
const MAP = "map-1";
const MOST_TILES = 1500;

scope.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(SHELL).then((cache) => cache.addAll(paths)).then(() => scope.skipWaiting()),
  );
});

scope.addEventListener("activate", (event) => {
  const old = caches.keys().then((names) => Promise.all(names.filter((name) => name !== SHELL && name !== MAP).map((name) => caches.delete(name))));
  event.waitUntil(old.then(() => scope.clients.claim()));
});

scope.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (pathname.startsWith("/map/")) event.respondWith(fromMap(request, event));
  else if (pathname === "/") event.respondWith(fromNetworkFirst(request));
  else if (paths.includes(pathname)) event.respondWith(fromShell(request, pathname));
});

/** The newest page while there is a network, else the one that is kept. */
async function fromNetworkFirst(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch (error) {
    const kept = await caches.match("/", { cacheName: SHELL });
    if (kept) return kept;
    throw error;
  }
}

async function fromShell(request: Request, path: string): Promise<Response> {
  return (await caches.match(path, { cacheName: SHELL })) ?? fetch(request);
}

/** What is kept at once, renewed behind it. */
async function fromMap(request: Request, event: FetchEvent): Promise<Response> {
  const cache = await caches.open(MAP);
  const kept = await cache.match(request);
  const fresh = fetch(request).then(async (response) => {
    if (response.ok && response.status === 200) {
      await cache.put(request, response.clone());
      await trim(cache);
    }
    return response;
  });
  if (kept === undefined) return fresh;
  event.waitUntil(fresh.catch(() => undefined));
  return kept;
}

async function trim(cache: Cache): Promise<void> {
  const keys = await cache.keys();
  for (const key of keys.slice(0, Math.max(0, keys.length - MOST_TILES))) await cache.delete(key);
}
