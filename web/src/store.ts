/** What the page remembers on this device, and nothing of it elsewhere. */

import type { Levels } from "./taste";

export interface Account {
  device: string;
  key: string;
  token: string;
  expires: number; // epoch seconds
}

export interface Place {
  name: string;
  lat: number;
  lon: number;
}

/** A trip under way, so that a page that is opened again goes on with it. */
export interface Walk {
  trip: string;
  proposal: string;
  beganAt: number; // epoch seconds
  kind: Kind;
  lastEvent: string | null;
}

export type Kind = "loop" | "to";
export type Theme = "auto" | "light" | "dark";
export type LanguageChoice = "auto" | "en" | "ru";

export interface State {
  account: Account | null;
  kind: Kind;
  minutes: number;
  destination: Place | null;
  levels: Levels;
  theme: Theme;
  language: LanguageChoice;
  voice: boolean;
  disliked: string[]; // ids of proposals, the newest last
  walk: Walk | null;
}

const KEY = "flaneur";
const INITIAL: State = {
  account: null,
  kind: "loop",
  minutes: 40,
  destination: null,
  levels: {},
  theme: "auto",
  language: "auto",
  voice: true,
  disliked: [],
  walk: null,
};

let state: State = load();
const listeners = new Set<() => void>();

export function get(): Readonly<State> {
  return state;
}

export function set(change: Partial<State>): void {
  state = { ...state, ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    // a browser that keeps nothing (private mode, full): it is remembered until the page is closed
  }
  for (const listener of listeners) listener();
}

/** Forget everything. */
export function clear(): void {
  set(INITIAL);
}

export function onChange(listener: () => void): void {
  listeners.add(listener);
}

function load(): State {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<State>;
    return { ...INITIAL, ...kept };
  } catch {
    return { ...INITIAL };
  }
}
