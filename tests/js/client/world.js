/**
 * A world for the page's client in which no time passes by itself: a clock, a network and a router that follow a script.
 *
 * `advance` moves the clock. Timers, and the messages that are under way, come in their order.
 */

import { setMaxListeners } from "node:events";

import { loadClient } from "./load.js";

const flush = globalThis.setImmediate; // runs after all microtasks

/** Random numbers that are the same in each run. */
export function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

Math.random = seeded(1);

class Clock {
  now = 1_700_000_000_000;
  #timers = new Map(); // millisecond -> timers, in the order in which they were set

  install() {
    globalThis.setTimeout = (action, delay = 0) => {
      const at = this.now + Math.max(1, Math.ceil(delay));
      const timer = { action };
      if (!this.#timers.has(at)) this.#timers.set(at, []);
      this.#timers.get(at).push(timer);
      return timer;
    };
    globalThis.clearTimeout = (timer) => {
      if (timer) timer.action = null;
    };
    Date.now = () => this.now;
  }

  async advance(milliseconds) {
    const end = this.now + milliseconds;
    await settle();
    while (this.now < end) {
      const due = this.#timers.get(++this.now);
      if (!due) continue;
      this.#timers.delete(this.now);
      for (const timer of due) timer.action?.();
      await settle();
    }
  }
}

export const clock = new Clock();
clock.install();
export const advance = (milliseconds) => clock.advance(milliseconds);

/** Flush the messages that are under way. */
export const settle = () => new Promise(flush);

/** Add a window and a document, as pages have them. Without, the client runs as in a plain Node.js. */
export function installPage() {
  const page = new EventTarget();
  globalThis.addEventListener = page.addEventListener.bind(page);
  globalThis.removeEventListener = page.removeEventListener.bind(page);
  globalThis.document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  setMaxListeners(0, page, document);
  return page;
}

export function setVisibility(state) {
  document.visibilityState = state;
  document.dispatchEvent(new Event("visibilitychange"));
}

export const { Connection } = await loadClient();

const CODES = { HELLO: 1, WELCOME: 2, ABORT: 3, CHALLENGE: 4, AUTHENTICATE: 5, GOODBYE: 6, ERROR: 8, SUBSCRIBE: 32, CALL: 48 };
Object.assign(CODES, { UNSUBSCRIBE: 34, CANCEL: 49, RESULT: 50, REGISTER: 64, UNREGISTER: 66, INVOCATION: 68, YIELD: 70 });
export { CODES };
const AND_OUT = "wamp.close.goodbye_and_out";

/** A router, and the network in front of it. Replace entries of `answers`, by code of message, to change what it does. */
export class Router {
  sockets = []; // one for each attempt to connect
  isUp = true;
  isSilent = false; // connections open, and nothing is answered
  joins = 0;
  answers = {
    [CODES.HELLO]: (socket) => socket.deliver([CODES.WELCOME, ++this.joins, { roles: {} }]),
    [CODES.GOODBYE]: (socket, [, , reason]) => {
      if (reason !== AND_OUT) socket.deliver([CODES.GOODBYE, {}, AND_OUT]);
    },
    [CODES.SUBSCRIBE]: (socket, [, id]) => socket.deliver([33, id, id]),
    [CODES.UNSUBSCRIBE]: (socket, [, id]) => socket.deliver([CODES.ERROR, 34, id, {}, "wamp.error.no_such_subscription"]),
    [CODES.REGISTER]: (socket, [, id]) => socket.deliver([65, id, id]),
    [CODES.UNREGISTER]: (socket, [, id]) => socket.deliver([67, id]),
  };

  constructor() {
    const router = this;
    this.WebSocket = class {
      protocol = "wamp.2.json";
      received = []; // by the router
      isClosed = false;
      openedAt = clock.now;

      constructor() {
        router.sockets.push(this);
        queueMicrotask(() => (router.isUp ? this.onopen?.() : this.drop()));
      }

      send(text) {
        if (this.isClosed) return;
        const message = JSON.parse(text);
        this.received.push(message);
        if (!router.isSilent) queueMicrotask(() => router.answers[message[0]]?.(this, message));
      }

      /** The closing handshake needs an answer, so with a silent peer `close` does not fire. */
      close() {
        if (this.isClosed) return;
        this.isClosed = true;
        if (!router.isSilent) queueMicrotask(() => this.onclose?.({ code: 1000, reason: "" }));
      }

      deliver(message) {
        this.onmessage?.({ data: JSON.stringify(message) });
      }

      drop(code = 1006) {
        this.isClosed = true;
        this.onclose?.({ code, reason: "" });
      }

      count(code) {
        return this.received.filter((message) => message[0] === code).length;
      }
    };
  }

  get last() {
    return this.sockets.at(-1);
  }

  /** Make a connection to this router; `states` collects the names of its states. */
  connection(options = {}) {
    const connection = new Connection("ws://router.example/ws", "realm1", { WebSocket: this.WebSocket, ...options });
    connection.states = [];
    connection.addEventListener("change", () => connection.states.push(connection.state.name));
    return connection;
  }

  /** A connection that is online. */
  async online(options) {
    const connection = this.connection(options);
    connection.open();
    await advance(1);
    return connection;
  }
}

/** The outcome of a promise that is not waited for: `value` or `error`, once there is one. */
export function outcome(promise) {
  const found = {};
  promise.then((value) => Object.assign(found, { value }), (error) => Object.assign(found, { error }));
  return found;
}
