/** Guidance along a route: where the walker is on it, what comes next, what is to be said. */

import type { Step, Trip } from "./api";
import { decode6, Line, type Point } from "./geo";

const BACK_M = 40;
const AHEAD_M = 250;
export const OFF_M = 35;

export interface Progress {
  alongM: number;
  leftM: number;
  leftS: number;
  offRoute: boolean;
  point: Point;
  bearingDeg: number;
  next: { step: Step; inM: number } | null;
  then: Step | null;
}

export class Guide {
  readonly line: Line;
  private readonly steps: Step[];
  private readonly beginsM: number[]; // of each step, along the line
  private readonly durationS: number;
  private readonly lengthM: number;
  private said = new Set<string>();
  private alongM: number;

  constructor(readonly trip: Trip, alongM = 0) {
    this.line = new Line(decode6(trip.line));
    const route = trip.routes[0];
    this.steps = route?.legs.flatMap((leg) => leg.steps) ?? [];
    this.lengthM = route?.distance ?? 0;
    this.durationS = route?.duration ?? 0;
    // what lies ahead is the end of the line; lengths of steps are the server's, the line is measured here
    const tailM = route ? new Line(decode6(route.geometry)).lengthM : 0;
    const scale = this.lengthM > 0 ? tailM / this.lengthM : 1;
    let sum = this.line.lengthM - tailM;
    this.beginsM = this.steps.map((step) => {
      const begins = sum;
      sum += step.distance * scale;
      return begins;
    });
    this.alongM = Math.min(alongM, this.line.lengthM);
  }

  /** The state after a fix; progress only jumps far where the walker is nowhere near. */
  move(here: Point, accuracyM: number): Progress {
    const near = this.line.nearest(here, this.alongM - BACK_M, this.alongM + AHEAD_M);
    const found = near !== null && near.offM <= OFF_M + accuracyM ? near : (this.line.nearest(here, this.alongM - BACK_M) ?? near);
    const offRoute = found === null || found.offM > OFF_M + accuracyM;
    if (found !== null && !offRoute) this.alongM = Math.max(this.alongM - BACK_M, found.alongM);
    return this.at(offRoute ? here : found!.point, offRoute, found?.bearingDeg ?? 0);
  }

  /** What is to be said now, once each. */
  announcement(progress: Progress): string | null {
    if (progress.offRoute || this.steps.length === 0) return null;
    const index = this.stepAt(this.alongM);
    const step = this.steps[index]!;
    const leftM = (this.beginsM[index + 1] ?? this.line.lengthM) - this.alongM;
    const due = (step.voiceInstructions ?? [])
      .map((voice, k) => ({ voice, id: `${index}/${k}` }))
      .filter(({ voice, id }) => leftM <= voice.distanceAlongGeometry + 5 && !this.said.has(id));
    for (const { id } of due) this.said.add(id);
    return due.at(-1)?.voice.announcement ?? null;
  }

  private at(point: Point, offRoute: boolean, bearingDeg: number): Progress {
    const leftM = Math.max(0, this.line.lengthM - this.alongM);
    const leftS = this.lengthM > 0 ? (leftM / this.lengthM) * this.durationS : 0;
    const index = this.stepAt(this.alongM);
    const step = this.steps[index + 1];
    return {
      alongM: this.alongM,
      leftM,
      leftS,
      offRoute,
      point,
      bearingDeg,
      next: step ? { step, inM: Math.max(0, this.beginsM[index + 1]! - this.alongM) } : null,
      then: this.steps[index + 2] ?? null,
    };
  }

  private stepAt(alongM: number): number {
    const after = this.beginsM.findIndex((begins) => begins > alongM + 3);
    return after < 0 ? Math.max(0, this.steps.length - 1) : Math.max(0, after - 1);
  }
}

/** The parts of two routes that only one of them has, from a distance along the old one on. */
export function differences(before: Line, after: Line, fromM: number): { old: Point[][]; added: Point[][] } {
  const key = (a: Point, b: Point): string => [a, b].map((p) => `${p[0].toFixed(5)},${p[1].toFixed(5)}`).sort().join(" ");
  const pieces = (points: Point[]): Set<string> => new Set(points.slice(1).map((point, i) => key(points[i]!, point)));
  const ahead = before.slice(fromM, before.lengthM);
  const [was, is] = [pieces(ahead), pieces(after.points)];
  return { old: runs(ahead, (id) => !is.has(id), key), added: runs(after.points, (id) => !was.has(id), key, before) };
}

/** Consecutive pieces of a line that are wanted; of the new one nothing that the old one has as well. */
function runs(points: Point[], wanted: (id: string) => boolean, key: (a: Point, b: Point) => string, walked?: Line): Point[][] {
  const found: Point[][] = [];
  let run: Point[] = [];
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1]!, points[i]!];
    const known = walked !== undefined && onLine(walked, a, b);
    if (wanted(key(a, b)) && !known) {
      if (run.length === 0) run.push(a);
      run.push(b);
    } else if (run.length > 0) {
      found.push(run);
      run = [];
    }
  }
  return run.length > 0 ? [...found, run] : found;
}

const SAME_M = 1;

function onLine(line: Line, a: Point, b: Point): boolean {
  const middle: Point = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  return [a, middle, b].every((point) => (line.nearest(point)?.offM ?? Infinity) <= SAME_M);
}
