/** The WebSocket to the gateway: fixes out until acknowledged, route updates in, whatever happens to the connection. */

import * as api from "./api";
import type { RouteUpdate } from "./api";
import type { Fix } from "./position";

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;
const KEPT_FIXES = 20_000; // of a phone that is offline: several hours
const BATCH = 500;
const ERASED = 4410;

interface Incoming {
  ack?: number | null;
  error?: string;
  seq?: number;
  retry_after_s?: number;
  update?: RouteUpdate;
  id?: string;
}

export class Stream {
  private socket: WebSocket | null = null;
  private waiting: Fix[] = [];
  private sent = new Map<number, Fix[]>();
  private seq = 0;
  private retryMs = FIRST_RETRY_MS;
  private timer = 0;
  private stopped = true;
  private pausedUntil = 0;

  constructor(
    private lastEvent: string | null,
    private readonly told: (update: RouteUpdate, id: string) => void,
    private readonly connected: (open: boolean) => void,
  ) {}

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    addEventListener("online", this.now);
    void this.open();
  }

  stop(): void {
    this.stopped = true;
    removeEventListener("online", this.now);
    clearTimeout(this.timer);
    this.socket?.close(1000);
    this.socket = null;
  }

  /** Send a fix as soon as there is a connection. */
  send(fix: Fix): void {
    this.waiting.push(fix);
    if (this.waiting.length > KEPT_FIXES) this.waiting.shift();
    this.flush();
  }

  private now = (): void => {
    clearTimeout(this.timer);
    if (this.socket === null) void this.open();
  };

  private async open(): Promise<void> {
    let token: string;
    try {
      token = await api.token();
    } catch {
      this.again();
      return;
    }
    if (this.stopped || this.socket !== null) return;
    const address = new URL("/v1/stream", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    address.searchParams.set("token", token);
    const socket = new WebSocket(address);
    this.socket = socket;
    socket.onopen = () => {
      this.retryMs = FIRST_RETRY_MS;
      this.connected(true);
      if (this.lastEvent !== null) socket.send(JSON.stringify({ resume: this.lastEvent }));
      // what was never acknowledged goes again, before what came later
      this.waiting = [...[...this.sent.values()].flat(), ...this.waiting];
      this.sent.clear();
      this.flush();
    };
    socket.onmessage = (event) => this.take(JSON.parse(String(event.data)) as Incoming);
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.connected(false);
      if (event.code === ERASED) this.stopped = true;
      this.again();
    };
  }

  private again(): void {
    if (this.stopped) return;
    clearTimeout(this.timer);
    this.timer = window.setTimeout(this.now, this.retryMs * (0.5 + Math.random() / 2));
    this.retryMs = Math.min(LONGEST_RETRY_MS, this.retryMs * 2);
  }

  private flush(): void {
    if (this.socket?.readyState !== WebSocket.OPEN || Date.now() < this.pausedUntil) return;
    while (this.waiting.length > 0) {
      const fixes = this.waiting.splice(0, BATCH);
      this.sent.set(++this.seq, fixes);
      this.socket.send(JSON.stringify({ seq: this.seq, fixes }));
    }
  }

  private take(message: Incoming): void {
    if (message.update !== undefined) {
      this.lastEvent = message.id ?? this.lastEvent;
      this.told(message.update, this.lastEvent ?? "");
    } else if (message.ack !== undefined && message.ack !== null) {
      this.sent.delete(message.ack);
    } else if (message.error !== undefined && message.seq !== undefined) {
      const fixes = this.sent.get(message.seq) ?? [];
      this.sent.delete(message.seq);
      if (message.retry_after_s === undefined) return; // they will not get better
      this.waiting = [...fixes, ...this.waiting];
      this.pausedUntil = Date.now() + message.retry_after_s * 1000;
      setTimeout(() => this.flush(), message.retry_after_s * 1000 + 10);
    }
  }
}
