/**
 * Keep a WAMP session open: after a lost connection, open the next session with increasing delays.
 *
 *     const connection = new Connection("/ws", "realm1");
 *     connection.subscribe("com.example.chat", ([text]) => console.log(text));
 *     connection.open();
 *     const result = await connection.call("com.example.add2", [2, 3]);
 *
 * After a permanent error (wrong realm, not authorized, session killed by an administrator), the connection stays
 * closed until `open()` is called again. A `change` event is fired whenever `state` changes. If a subscription fails, a
 * `subscriptionerror` event with `topic` and `error` is fired. The error is also written to the console, unless a
 * listener calls `preventDefault()`.
 */

import { Session, WampError } from "./wamp.js";

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 15000;
const RETRYABLE_REASONS = ["wamp.close.transport_lost", "wamp.close.system_shutdown", "wamp.error.unavailable"];

export class Connection extends EventTarget {
  /** `name` is one of offline, connecting, online, waiting; `session` is set while online. */
  state = { name: "offline", session: null, reason: "", message: "", retryAt: 0 };

  #url;
  #realm;
  #options;
  #shouldBeOpen = false;
  #attempts = 0;
  #timer;
  #subscriptions = new Set();

  /** `url` may be a path on the page's own server; for `options` see `Session.open`. */
  constructor(url, realm, options = {}) {
    super();
    this.#url = globalThis.location ? new URL(url, location.href.replace(/^http/, "ws")).href : url;
    this.#realm = realm;
    this.#options = options;
  }

  /** Connect now, even if the next attempt is due later. */
  open() {
    this.#shouldBeOpen = true;
    if (["offline", "waiting"].includes(this.state.name)) this.#attempt();
  }

  /** Close the session and do not reconnect until `open()`. */
  async close() {
    this.#shouldBeOpen = false;
    clearTimeout(this.#timer);
    if (this.state.session) await this.state.session.close();
    else if (this.state.name === "waiting") this.#setState({ name: "offline" });
  }

  /**
   * Subscribe to a topic in the current session and in every later one. See `Session.subscribe`.
   * @returns {() => void} a function that unsubscribes
   */
  subscribe(topic, handler, options = {}) {
    const subscription = { topic, handler, options, receipt: null };
    this.#subscriptions.add(subscription);
    if (this.state.session) this.#subscribe(this.state.session, subscription);
    return () => {
      this.#subscriptions.delete(subscription);
      if (subscription.receipt && this.state.session?.isOpen) this.state.session.unsubscribe(subscription.receipt);
    };
  }

  /** Call a procedure: see `Session.call`. Rejects immediately while there is no session. */
  async call(...parameters) {
    return this.#session().call(...parameters);
  }

  /** Publish an event: see `Session.publish`. Rejects immediately while there is no session. */
  async publish(...parameters) {
    return this.#session().publish(...parameters);
  }

  #session() {
    if (this.state.session) return this.state.session;
    throw new WampError("wamp.close.transport_lost", [this.state.message || "There is no connection to the router."]);
  }

  async #subscribe(session, subscription) {
    subscription.receipt = null;
    try {
      const receipt = await session.subscribe(subscription.topic, subscription.handler, subscription.options);
      if (this.#subscriptions.has(subscription)) subscription.receipt = receipt;
      else session.unsubscribe(receipt);
    } catch (error) {
      if (!session.isOpen) return; // the next session subscribes again
      const failed = Object.assign(new Event("subscriptionerror", { cancelable: true }), { topic: subscription.topic, error });
      if (this.dispatchEvent(failed)) console.error(`Not subscribed to ${subscription.topic}:`, error);
    }
  }

  #setState(change) {
    this.state = { session: null, reason: "", message: "", retryAt: 0, ...change };
    this.dispatchEvent(new Event("change"));
  }

  async #attempt() {
    clearTimeout(this.#timer);
    this.#setState({ name: "connecting" });
    let ending;
    try {
      const session = await Session.open(this.#url, this.#realm, this.#options);
      if (!this.#shouldBeOpen) session.close();
      this.#attempts = 0;
      for (const subscription of this.#subscriptions) this.#subscribe(session, subscription);
      this.#setState({ name: "online", session });
      ending = await session.closed;
    } catch (error) {
      ending = { reason: error.uri ?? "", message: error.message };
    }
    this.#scheduleRetry(ending);
  }

  #scheduleRetry({ reason, message }) {
    if (!this.#shouldBeOpen) return this.#setState({ name: "offline", reason });
    if (!RETRYABLE_REASONS.includes(reason)) {
      this.#shouldBeOpen = false;
      return this.#setState({ name: "offline", reason, message });
    }
    const limit = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempts++);
    const delay = limit * (0.7 + 0.3 * Math.random()); // jitter, so that clients do not all reconnect at the same time
    this.#timer = setTimeout(() => this.#attempt(), delay);
    this.#setState({ name: "waiting", reason, message, retryAt: Date.now() + delay });
  }
}
