/** A walker's taste as sliders: from 0 (does not matter) over 2 (usual) to 4 (matters most). */

import tastes from "./tastes.json";

export type TasteKey =
  | "quiet" | "green" | "water" | "sights" | "amenities" | "clean_air" | "dry" | "shade" | "lit" | "easy" | "empty";
export type Levels = Partial<Record<TasteKey, number>>;

export const USUAL = 2;
export const MOST = 4;

interface Taste {
  key: TasteKey;
  factors: Record<string, [usual: number, most: number]>;
}

export const TASTES = tastes as unknown as readonly Taste[];

/** The weights to send: only of what differs from the usual. */
export function weightsOf(levels: Levels): Record<string, number> {
  const weights: Record<string, number> = {};
  for (const { key, factors } of TASTES) {
    const level = levels[key] ?? USUAL;
    if (level === USUAL) continue;
    for (const [factor, [usual, most]] of Object.entries(factors)) {
      const weight = level < USUAL ? (usual * level) / USUAL : usual + ((most - usual) * (level - USUAL)) / (MOST - USUAL);
      weights[factor] = Math.round(weight * 1000) / 1000;
    }
  }
  return weights;
}

/** A level more of one taste. */
export function nudged(levels: Levels, key: TasteKey): Levels {
  return { ...levels, [key]: Math.min(MOST, (levels[key] ?? USUAL) + 1) };
}
