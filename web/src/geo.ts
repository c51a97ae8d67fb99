/** Lines on the earth: decoding, lengths, cutting, finding a position on them. Degrees WGS 84, metres. */

export type Point = [lon: number, lat: number];

const EARTH_M = 6_371_008.8;
const RAD = Math.PI / 180;

/** Points of an encoded polyline with six decimals. */
export function decode6(text: string): Point[] {
  const points: Point[] = [];
  let at = 0;
  let lat = 0;
  let lon = 0;
  const next = (): number => {
    let shift = 0;
    let value = 0;
    let byte = 0x20;
    while (byte >= 0x20 && at < text.length) {
      byte = text.charCodeAt(at++) - 63;
      value += (byte & 0x1f) * 2 ** shift;
      shift += 5;
    }
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  };
  while (at < text.length) {
    lat += next();
    lon += next();
    points.push([lon / 1e6, lat / 1e6]);
  }
  return points;
}

/** Metres between two points, by the haversine formula. */
export function distanceM(a: Point, b: Point): number {
  const dLat = (b[1] - a[1]) * RAD;
  const dLon = (b[0] - a[0]) * RAD;
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(a[1] * RAD) * Math.cos(b[1] * RAD) * Math.sin(dLon / 2) ** 2;
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** Degrees clockwise from north. */
export function bearingDeg(a: Point, b: Point): number {
  const east = (b[0] - a[0]) * Math.cos(((a[1] + b[1]) / 2) * RAD);
  return (Math.atan2(east, b[1] - a[1]) / RAD + 360) % 360;
}

/** Where a point is on a line, and how far off. */
export interface OnLine {
  alongM: number;
  offM: number;
  point: Point;
  bearingDeg: number;
}

/** A line with the metres from its start to each of its points. */
export class Line {
  readonly atM: number[];

  constructor(readonly points: Point[]) {
    let sum = 0;
    this.atM = points.map((point, index) => {
      if (index > 0) sum += distanceM(points[index - 1]!, point);
      return sum;
    });
  }

  get lengthM(): number {
    return this.atM.at(-1) ?? 0;
  }

  /** The part between two distances from the start. */
  slice(fromM: number, toM: number): Point[] {
    if (this.points.length === 0) return [];
    const inner = this.points.filter((_, index) => this.atM[index]! > fromM && this.atM[index]! < toM);
    return [this.at(fromM), ...inner, this.at(toM)];
  }

  /** The point so many metres from the start; the ends where the line does not reach. */
  at(alongM: number): Point {
    const after = this.atM.findIndex((m) => m >= alongM);
    if (after < 0) return this.points.at(-1)!;
    if (after === 0) return this.points[0]!;
    const [a, b] = [this.points[after - 1]!, this.points[after]!];
    const [aM, bM] = [this.atM[after - 1]!, this.atM[after]!];
    const share = bM > aM ? (alongM - aM) / (bM - aM) : 0;
    return [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])];
  }

  /** The nearest position between two distances; of equally near ones the first. */
  nearest(point: Point, fromM = 0, toM = Infinity): OnLine | null {
    const scale = Math.cos(point[1] * RAD);
    const metresPerDeg = EARTH_M * RAD;
    let best: OnLine | null = null;
    for (let i = 1; i < this.points.length; i++) {
      if (this.atM[i]! < fromM || this.atM[i - 1]! > toM) continue;
      const [a, b] = [this.points[i - 1]!, this.points[i]!];
      const [dx, dy] = [(b[0] - a[0]) * scale, b[1] - a[1]];
      const [px, py] = [(point[0] - a[0]) * scale, point[1] - a[1]];
      const square = dx * dx + dy * dy;
      const share = square > 0 ? Math.min(1, Math.max(0, (px * dx + py * dy) / square)) : 0;
      const offM = Math.hypot(px - share * dx, py - share * dy) * metresPerDeg;
      if (best !== null && offM >= best.offM - 0.01) continue;
      best = {
        alongM: this.atM[i - 1]! + share * (this.atM[i]! - this.atM[i - 1]!),
        offM,
        point: [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])],
        bearingDeg: bearingDeg(a, b),
      };
    }
    return best;
  }
}

/** West, south, east, north. */
export function boundsOf(points: Point[]): [number, number, number, number] {
  const lons = points.map((point) => point[0]);
  const lats = points.map((point) => point[1]);
  return [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)];
}
