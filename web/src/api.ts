/** The gateway's HTTP interface, with the device registered when it is first needed. */

import * as store from "./store";
import type { Account, Kind, Place } from "./store";

export interface Proposal {
  id: string;
  geometry: string;
  length_m: number;
  duration_s: number;
  overlap: number;
  scores: Record<string, number>;
  usual: Record<string, number>;
  reasons: string[];
  words: Record<string, string[]>;
  via: string[];
}

export interface Wish {
  kind: Kind;
  lat: number;
  lon: number;
  dest_lat?: number;
  dest_lon?: number;
  duration_s?: number;
  taste?: Record<string, number>;
}

export interface Change {
  cause?: string;
  ahead_m?: number;
  length_m?: number;
  duration_s?: number;
}

/** A record of route-updates, see docs/records.md. */
export interface RouteUpdate {
  trip: string;
  version: number;
  ts: number;
  reason: string;
  keep_m?: number;
  geometry?: string;
  length_m?: number;
  duration_s?: number;
  eta?: number;
  change?: Change;
}

export interface Step {
  distance: number;
  duration: number;
  name: string;
  geometry: string;
  maneuver: { type: string; modifier?: string; instruction: string; location: [number, number] };
  voiceInstructions?: { distanceAlongGeometry: number; announcement: string }[];
}

/** OSRM route JSON of what lies ahead, and what is known of the trip. */
export interface Trip extends RouteUpdate {
  code: string;
  routes: { geometry: string; distance: number; duration: number; legs: { steps: Step[] }[] }[];
  id: string;
  line: string;
  ended: boolean;
}

export interface FoundPlace extends Place {
  kind: string;
  distance_m?: number;
}

export interface Area {
  name: string;
  west: number;
  south: number;
  east: number;
  north: number;
}

/** An answer that is an error, with the server's sentence. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    sentence: string,
    readonly retryAfterS = 0,
  ) {
    super(sentence);
  }
}

const EARLY_S = 60;
const TRIES = 4;

export async function coverage(): Promise<Area[]> {
  return (await call<{ areas: Area[] }>("GET", "/v1/coverage", undefined, false)).areas;
}

export async function propose(wish: Wish, avoid: string[], count = 1): Promise<Proposal[]> {
  const body = { ...wish, propose: count, ...(avoid.length > 0 ? { avoid } : {}) };
  return (await call<{ proposals: Proposal[] }>("POST", "/v1/routes", body)).proposals;
}

export async function start(wish: Wish, proposal: string): Promise<string> {
  return (await call<{ trip: string }>("POST", "/v1/routes", { ...wish, proposal })).trip;
}

export function trip(id: string, language: string): Promise<Trip> {
  return call<Trip>("GET", `/v1/trips/${encodeURIComponent(id)}?language=${language}`);
}

export async function end(id: string): Promise<void> {
  await call("DELETE", `/v1/trips/${encodeURIComponent(id)}`);
}

export async function rate(proposal: string, verdict: "like" | "dislike" | number, reason?: string): Promise<void> {
  await call("POST", "/v1/ratings", { proposal, verdict, ...(reason ? { reason } : {}) });
}

export async function places(query: string, lat: number, lon: number, signal: AbortSignal): Promise<FoundPlace[]> {
  const asked = new URLSearchParams({ q: query, lat: lat.toFixed(5), lon: lon.toFixed(5), limit: "8" });
  const found = await call<{ places: FoundPlace[] }>("GET", `/v1/places?${asked}`, undefined, true, signal);
  return found.places;
}

/** Erase all that the server knows of this device, then all that this page does. */
export async function forgetMe(): Promise<void> {
  if (store.get().account !== null) await call("DELETE", "/v1/me");
  store.clear();
}

/** A token that is good for a while yet. */
export async function token(): Promise<string> {
  return (await account()).token;
}

let signingIn: Promise<Account> | null = null;

function account(): Promise<Account> {
  const kept = store.get().account;
  if (kept !== null && kept.expires - EARLY_S > Date.now() / 1000) return Promise.resolve(kept);
  signingIn ??= signIn(kept).finally(() => {
    signingIn = null;
  });
  return signingIn;
}

async function signIn(kept: Account | null): Promise<Account> {
  if (kept !== null) {
    try {
      const headers = { Authorization: `Bearer ${kept.key}` };
      const told = await fetchJson<{ token: string; token_expires: number }>("POST", "/v1/devices/token", {}, headers);
      return remember({ ...kept, token: told.token, expires: told.token_expires });
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 401) throw error;
    }
  }
  const told = await fetchJson<{ device: string; token: string; token_expires: number; key: string }>("POST", "/v1/devices", {});
  return remember({ device: told.device, key: told.key, token: told.token, expires: told.token_expires });
}

function remember(account: Account): Account {
  store.set({ account });
  return account;
}

/** Ask; an expired token is renewed, a busy or unreachable server asked again a few times. */
async function call<T>(method: string, path: string, body?: unknown, signedIn = true, signal?: AbortSignal): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      const headers: Record<string, string> = signedIn ? { Authorization: `Bearer ${await token()}` } : {};
      return await fetchJson<T>(method, path, body, headers, signal);
    } catch (error) {
      if (signal?.aborted || attempt >= TRIES) throw error;
      if (error instanceof Refusal) {
        if (error.status === 401 && signedIn && attempt === 1) expire();
        else if (error.status === 429 || error.status === 503) await pause(Math.min(error.retryAfterS || 1, 10));
        else throw error;
      } else if (method === "GET" && navigator.onLine) {
        await pause(attempt / 2);
      } else {
        throw error;
      }
    }
  }
}

function expire(): void {
  const kept = store.get().account;
  if (kept !== null) store.set({ account: { ...kept, expires: 0 } });
}

async function fetchJson<T>(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<T> {
  const sent: RequestInit = { method, headers: { ...headers }, signal: signal ?? null };
  if (body !== undefined) {
    sent.body = JSON.stringify(body);
    sent.headers = { ...headers, "Content-Type": "application/json" };
  }
  const response = await fetch(path, sent);
  if (response.status === 204) return undefined as T;
  const told = (await response.json().catch(() => ({}))) as { error?: string };
  if (!response.ok) {
    throw new Refusal(response.status, told.error ?? response.statusText, Number(response.headers.get("Retry-After") ?? 0));
  }
  return told as T;
}

function pause(seconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, seconds * 1000));
}
