/**
 * Keeps a WAMP session open: opens it, and after a loss opens the next one, waiting a little longer each time.
 *
 *     const connection = new Connection("/ws", "realm1");
 *     connection.subscribe("com.example.chat", ([text]) => console.log(text));
 *     connection.start();
 *     const result = await connection.call("com.example.add2", [2, 3]);
 *
 * What the router means to last (wrong realm, not allowed, session ended by an administrator) is not tried again
 * until somebody calls `start()`. Listeners get `change` events and read `state`. What cannot be subscribed to is told
 * by a `problem` event with `topic` and `error`; one that nobody prevents goes to the console.
 */

import { Session, WampError } from "./wamp.js";

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15000;
const WORTH_RETRYING = ["wamp.close.transport_lost", "wamp.close.system_shutdown", "wamp.error.unavailable"];

export class Connection extends EventTarget {
  /** `name` is one of offline, connecting, online, waiting; `session` is set while online. */
  state = { name: "offline", session: null, reason: "", message: "", retryAt: 0 };

  #url;
  #realm;
  #options;
  #wanted = false;
  #attempts = 0;
  #timer;
  #subscriptions = new Set();

  /** `url` may be a path of the page's own server; `options` are those of `Session.open`. */
  constructor(url, realm, options = {}) {
    super();
    this.#url = globalThis.location ? new URL(url, location.href.replace(/^http/, "ws")).href : url;
    this.#realm = realm;
    this.#options = options;
  }

  /** Connect now, whether idle or waiting for the next attempt. */
  start() {
    this.#wanted = true;
    if (["offline", "waiting"].includes(this.state.name)) this.#attempt();
  }

  /** Leave, and stay away until `start()`. */
  async stop() {
    this.#wanted = false;
    clearTimeout(this.#timer);
    if (this.state.session) await this.state.session.close();
    else if (this.state.name === "waiting") this.#become({ name: "offline" });
  }

  /**
   * Hear a topic for good: in the session that is open, and in each one to come. See `Session.subscribe`.
   * @returns {() => void} ends it
   */
  subscribe(topic, handler, options = {}) {
    const wanted = { topic, handler, options, receipt: null };
    this.#subscriptions.add(wanted);
    if (this.state.session) this.#subscribe(this.state.session, wanted);
    return () => {
      this.#subscriptions.delete(wanted);
      if (wanted.receipt && this.state.session?.isOpen) this.state.session.unsubscribe(wanted.receipt);
    };
  }

  /** See `Session.call`. Without a session it fails at once. */
  async call(...parameters) {
    return this.#session().call(...parameters);
  }

  /** See `Session.publish`. Without a session it fails at once. */
  async publish(...parameters) {
    return this.#session().publish(...parameters);
  }

  #session() {
    if (this.state.session) return this.state.session;
    throw new WampError("wamp.close.transport_lost", [this.state.message || "There is no connection to the router."]);
  }

  async #subscribe(session, wanted) {
    wanted.receipt = null;
    try {
      const receipt = await session.subscribe(wanted.topic, wanted.handler, wanted.options);
      if (this.#subscriptions.has(wanted)) wanted.receipt = receipt;
      else session.unsubscribe(receipt);
    } catch (error) {
      if (!session.isOpen) return; // the next session will
      const problem = Object.assign(new Event("problem", { cancelable: true }), { topic: wanted.topic, error });
      if (this.dispatchEvent(problem)) console.error(`Not subscribed to ${wanted.topic}:`, error);
    }
  }

  #become(change) {
    this.state = { session: null, reason: "", message: "", retryAt: 0, ...change };
    this.dispatchEvent(new Event("change"));
  }

  async #attempt() {
    clearTimeout(this.#timer);
    this.#become({ name: "connecting" });
    let ending;
    try {
      const session = await Session.open(this.#url, this.#realm, this.#options);
      if (!this.#wanted) session.close();
      this.#attempts = 0;
      for (const wanted of this.#subscriptions) this.#subscribe(session, wanted);
      this.#become({ name: "online", session });
      ending = await session.closed;
    } catch (error) {
      ending = { reason: error.uri ?? "", message: error.message };
    }
    this.#retryOrRest(ending);
  }

  #retryOrRest({ reason, message }) {
    if (!this.#wanted) return this.#become({ name: "offline", reason });
    if (!WORTH_RETRYING.includes(reason)) {
      this.#wanted = false;
      return this.#become({ name: "offline", reason, message });
    }
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempts++);
    const delay = longest * (0.7 + 0.3 * Math.random()); // spread, so that many clients do not come back at once
    this.#timer = setTimeout(() => this.#attempt(), delay);
    this.#become({ name: "waiting", reason, message, retryAt: Date.now() + delay });
  }
}
