/** Where the person is: told by the browser, or by a recorded walk. */

import { bearingDeg, distanceM, type Point } from "./geo";

/** One sample as the gateway takes it. */
export interface Fix {
  ts: number;
  lat: number;
  lon: number;
  accuracy_m?: number;
  speed_mps?: number;
  bearing_deg?: number;
  altitude_m?: number;
}

export type Listener = (fix: Fix) => void;

export interface Positions {
  /** The first position, as soon as one is known; null where none will be. */
  first(): Promise<Fix | null>;
  follow(listener: Listener): void;
  stop(): void;
  /** Where a recorded walk ends: somewhere to go. */
  readonly end: Point | null;
  readonly recorded: boolean;
}

const FIRST_WITHIN_MS = 8000;

/** The browser's. */
export class Geolocated implements Positions {
  readonly end = null;
  readonly recorded = false;
  private watch: number | null = null;

  first(): Promise<Fix | null> {
    if (!("geolocation" in navigator)) return Promise.resolve(null);
    return new Promise((found) => {
      navigator.geolocation.getCurrentPosition(
        (position) => found(fixOf(position)),
        () => found(null),
        { enableHighAccuracy: true, maximumAge: 30_000, timeout: FIRST_WITHIN_MS },
      );
    });
  }

  follow(listener: Listener): void {
    this.stop();
    if (!("geolocation" in navigator)) return;
    this.watch = navigator.geolocation.watchPosition((position) => listener(fixOf(position)), () => undefined, {
      enableHighAccuracy: true,
      maximumAge: 1000,
    });
  }

  stop(): void {
    if (this.watch !== null) navigator.geolocation.clearWatch(this.watch);
    this.watch = null;
  }
}

function fixOf(position: GeolocationPosition): Fix {
  const { latitude, longitude, accuracy, speed, heading, altitude } = position.coords;
  return {
    ts: position.timestamp / 1000,
    lat: latitude,
    lon: longitude,
    accuracy_m: accuracy,
    ...(speed !== null && speed >= 0 ? { speed_mps: speed } : {}),
    ...(heading !== null && Number.isFinite(heading) ? { bearing_deg: heading } : {}),
    ...(altitude !== null ? { altitude_m: altitude } : {}),
  };
}

type Sample = [seconds: number, lat: number, lon: number];

/** A recorded walk, played in front of the clock: every fix is sent as if it were measured now. */
export class Recorded implements Positions {
  readonly recorded = true;
  private timer = 0;
  private at = 0;

  private constructor(
    private readonly samples: Sample[],
    private readonly speed: number,
  ) {}

  static async load(address: string, speed: number): Promise<Recorded> {
    const walk = (await (await fetch(address)).json()) as { fixes: Sample[] };
    return new Recorded(walk.fixes, speed);
  }

  get end(): Point | null {
    const last = this.samples.at(-1);
    return last ? [last[2], last[1]] : null;
  }

  first(): Promise<Fix | null> {
    return Promise.resolve(this.fix(0));
  }

  follow(listener: Listener): void {
    this.stop();
    const from = this.samples[this.at]?.[0] ?? 0;
    const began = performance.now() / 1000;
    const tick = (): void => {
      const now = from + (performance.now() / 1000 - began) * this.speed;
      let reached = this.at;
      while (reached + 1 < this.samples.length && this.samples[reached + 1]![0] <= now) reached++;
      if (reached > this.at || this.at === 0) {
        this.at = reached;
        listener(this.fix(reached));
      }
      if (reached + 1 >= this.samples.length) this.stop();
    };
    tick();
    this.timer = window.setInterval(tick, 1000);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private fix(index: number): Fix {
    const [, lat, lon] = this.samples[index]!;
    return { ts: Date.now() / 1000, lat, lon, accuracy_m: 5 };
  }
}

const TURNED_M = 3;

/** The way somebody faces, from how they move where the phone does not say. */
export class Heading {
  private last: Point | null = null;
  private degrees: number | null = null;

  of(fix: Fix): number | null {
    const here: Point = [fix.lon, fix.lat];
    if (fix.bearing_deg !== undefined && (fix.speed_mps ?? 1) > 0.3) this.degrees = fix.bearing_deg;
    else if (this.last !== null && distanceM(this.last, here) >= TURNED_M) this.degrees = bearingDeg(this.last, here);
    if (this.last === null || distanceM(this.last, here) >= TURNED_M) this.last = here;
    return this.degrees;
  }
}
