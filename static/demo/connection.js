/**
 * Keeps a WAMP session open: opens it, and after a loss opens the next one, waiting a little longer each time.
 *
 * What the router means to last (wrong realm, not allowed, session ended by an administrator) is not tried again
 * until somebody calls `start()`. Listeners get `change` events and read `state`.
 */

import { Session } from "./wamp.js";

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

  constructor(url, realm, options = {}) {
    super();
    this.#url = url;
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
