/** The language of the page, and figures in words of it. */

import type { RouteUpdate } from "../api";
import * as store from "../store";
import { en, type Texts } from "./en";
import { ru } from "./ru";

export const LANGUAGES: Record<string, Texts> = { en, ru };

const SOON_M = 500;
const WALKING_MPS = 1.35;
const NOTABLE_M = 20;
const WORTH_SAYING_FIRST_M = 100; // else what the new way is like matters more

/** The words in the language that is chosen, or that the browser prefers. */
export function texts(): Texts {
  const chosen = store.get().language;
  if (chosen !== "auto") return LANGUAGES[chosen] ?? en;
  const preferred = navigator.languages.map((language) => language.slice(0, 2)).find((language) => language in LANGUAGES);
  return LANGUAGES[preferred ?? "en"] ?? en;
}

export function length(metres: number): string {
  const t = texts();
  if (metres < 995) return t.metres(String(rounded(metres)));
  return t.km(new Intl.NumberFormat(t.locale, { maximumFractionDigits: metres < 9950 ? 1 : 0 }).format(metres / 1000));
}

export function duration(seconds: number): string {
  const t = texts();
  const minutes = Math.max(1, Math.round(seconds / 60));
  return minutes < 60 ? t.minutes(minutes) : t.hours(Math.floor(minutes / 60), minutes % 60);
}

/** The time of day of a moment in epoch seconds. */
export function clock(ts: number): string {
  return new Intl.DateTimeFormat(texts().locale, { hour: "2-digit", minute: "2-digit" }).format(ts * 1000);
}

/** "A, B and C". */
export function listed(words: string[]): string {
  const t = texts();
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} ${t.and} ${words.at(-1)}`;
}

/** What changed and why: "Rain in 10 minutes: shortened by 600 m". */
export function updateWords(update: Pick<RouteUpdate, "reason" | "change">): string {
  const t = texts().update;
  const change = update.change ?? {};
  const cause = change.cause === undefined ? undefined : t.causes[change.cause];
  const more = difference(change.length_m);
  if (cause !== undefined && (update.reason === "world_changed" || update.reason === "better")) {
    const instead = Math.abs(change.length_m ?? 0) < WORTH_SAYING_FIRST_M ? cause[1] : more;
    return `${cause[0]} ${where(change.ahead_m)}: ${instead}`;
  }
  const said = t.reasons[update.reason] ?? update.reason;
  return more ? `${said}, ${more}` : said;
}

function where(aheadM: number | undefined): string {
  const t = texts().update;
  if (aheadM === undefined || aheadM < 10) return t.ahead;
  if (aheadM <= SOON_M) return t.aheadM(length(aheadM));
  return t.inMinutes(Math.max(1, Math.round(aheadM / WALKING_MPS / 60)));
}

function difference(lengthM: number | undefined): string {
  if (lengthM === undefined || Math.abs(lengthM) < NOTABLE_M) return "";
  const t = texts().update;
  return lengthM < 0 ? t.shorter(length(-lengthM)) : t.longer(length(lengthM));
}

/** To what one can tell apart while walking. */
function rounded(metres: number): number {
  const step = metres < 100 ? 5 : metres < 300 ? 10 : 50;
  return Math.max(step, Math.round(metres / step) * step);
}
