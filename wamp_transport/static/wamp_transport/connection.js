/**
 * Keep a WAMP session open: after a lost connection, open the next session with increasing delays.
 *
 *     const connection = new Connection("/ws", "realm1");
 *     connection.subscribe("com.example.chat", ([text]) => console.log(text));
 *     connection.open();
 *     const result = await connection.call("com.example.add2", [2, 3]);
 *
 * Permanent errors (wrong realm, not authorized, session killed by an administrator) are not retried until `open()` is
 * called again. A connection that was online before is different: if its realm, its role or its login is refused now, it
 * tries again about once a minute, because the configuration may be about to change.
 *
 * `change` events are fired whenever `state` changes. A subscription that fails fires a `subscriptionerror` event with
 * `topic` and `error`. A registration that fails fires a `registrationerror` event with `procedure` and `error`. Both
 * errors are also written to the console unless the event's default is prevented.
 */

import { Session, WampError } from "./wamp.js";

/** The first delay is random as well: when a server restarts, not all pages may reconnect at the same time. */
const FIRST_DELAY_MS = 2000;
const MAX_DELAY_MS = 20000;
const SLOW_DELAY_MS = 60000;
/** After a session of this length, the server counts as healthy: the next delay is the first one again. */
const HEALTHY_AFTER_MS = 10000;
const REGISTER_AGAIN_MS = 10000;

const LOGOUT = "wamp.close.logout";
/** Temporary problems, after which the connection is retried with increasing delays. */
const TRANSIENT_REASONS = [
  "wamp.close.transport_lost",
  "wamp.close.system_shutdown",
  "wamp.error.unavailable",
  "wamp.error.slow_consumer",
];
/** Reasons for ending an open session after a change of the user or configuration. A new session can be allowed. */
const RENEWABLE_REASONS = [
  LOGOUT,
  "wamp.close.close_realm",
  "wamp.error.no_such_role",
  "wamp.error.no_such_principal",
  "wamp.error.authentication_failed",
];

/** The session methods that are called again in each later session, with their inverse and the event for errors. */
const KINDS = {
  subscribe: { undo: "unsubscribe", event: "subscriptionerror", key: "topic", failure: "Not subscribed to" },
  register: { undo: "unregister", event: "registrationerror", key: "procedure", failure: "Not registered:" },
};

export class Connection extends EventTarget {
  /** `name` is one of offline, connecting, online, waiting; `session` is set while online. */
  state = { name: "offline", session: null, reason: "", message: "", retryAt: 0 };

  #url;
  #realm;
  #options;
  #attempt = new AbortController(); // aborted: its session must not change the state any more
  #failures = 0; // since the last healthy session
  #isRenewing = false; // after one of RENEWABLE_REASONS, until a session is healthy
  #wasOnline = false; // since `open()`: the realm or the permission existed, so it may come back
  #timer;
  #entries = new Set(); // the subscriptions and registrations for each session

  /** `url` may be a path on the page's own server; for `options` see `Session.open`. */
  constructor(url, realm, options = {}) {
    super();
    this.#url = globalThis.location ? new URL(url, location.href.replace(/^http/, "ws")).href : url;
    this.#realm = realm;
    this.#options = options;
  }

  /** Connect now, even if the next attempt is due later. */
  open() {
    this.#listen("addEventListener");
    if (["offline", "waiting"].includes(this.state.name)) this.#connect();
  }

  /** Close the session, or stop connecting, and do not reconnect until `open()`. The state is offline immediately. */
  async close() {
    const { name, session } = this.state;
    this.#attempt.abort();
    this.#listen("removeEventListener");
    clearTimeout(this.#timer);
    this.#failures = 0;
    this.#isRenewing = this.#wasOnline = false;
    if (name !== "offline") this.#setState({ name: "offline" });
    await session?.close();
  }

  /**
   * Subscribe to a topic in the current session and in every later one. See `Session.subscribe`.
   * @returns {() => void} a function that unsubscribes
   */
  subscribe(topic, handler, options = {}) {
    return this.#add({ method: "subscribe", uri: topic, handler, options });
  }

  /**
   * Register a procedure in the current session and in every later one. See `Session.register`.
   * @returns {() => void} unregisters
   */
  register(uri, procedure, options = {}) {
    return this.#add({ method: "register", uri, handler: procedure, options });
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

  // --- subscriptions and registrations -----------------------------------------------------------------------

  #add(entry) {
    this.#entries.add(entry);
    if (this.state.session) this.#establish(this.state.session, entry);
    return () => {
      if (this.#entries.delete(entry) && entry.receipt) this.#withdraw(entry);
    };
  }

  async #establish(session, entry) {
    const { method, uri, handler, options } = entry;
    const { event, key, failure } = KINDS[method];
    entry.receipt = null;
    try {
      entry.receipt = await session[method](uri, handler, options);
      entry.session = session;
      if (!this.#entries.has(entry)) this.#withdraw(entry);
    } catch (error) {
      if (!session.isOpen) return; // the next session does it again
      const failed = Object.assign(new Event(event, { cancelable: true }), { [key]: uri, error });
      if (this.dispatchEvent(failed)) console.error(failure, uri, error);
      // The router may not have noticed yet that our last session is gone, and still have its registration.
      const isOurs = entry.session && error.uri === "wamp.error.procedure_already_exists";
      if (isOurs) setTimeout(() => this.#establishAgain(session, entry), REGISTER_AGAIN_MS);
    }
  }

  #establishAgain(session, entry) {
    if (session.isOpen && this.#entries.has(entry)) this.#establish(session, entry);
  }

  #withdraw({ method, session, receipt }) {
    session[KINDS[method].undo](receipt).catch(() => {}); // a session that has ended has no subscriptions
  }

  // --- connecting --------------------------------------------------------------------------------------------

  /** Add or remove listeners for events which show that the network or the page is available again. */
  #listen(how) {
    for (const name of ["online", "pageshow"]) globalThis[how]?.(name, this.#wake);
    globalThis.document?.[how]("visibilitychange", this.#wake);
  }

  #wake = () => {
    if (globalThis.document?.visibilityState === "hidden") return;
    this.state.session?.probe();
    if (this.state.name === "waiting") this.#connect();
  };

  #setState(change) {
    this.state = { session: null, reason: "", message: "", retryAt: 0, ...change };
    this.dispatchEvent(new Event("change"));
  }

  async #connect() {
    clearTimeout(this.#timer);
    const { signal } = (this.#attempt = new AbortController());
    let ending, session, openedAt;
    this.#setState({ name: "connecting" });
    try {
      session = await Session.open(this.#url, this.#realm, { ...this.#options, signal });
      if (signal.aborted) return session.close();
      openedAt = Date.now();
      this.#wasOnline = true;
      for (const entry of this.#entries) this.#establish(session, entry);
      this.#setState({ name: "online", session });
      ending = await session.closed;
    } catch (error) {
      ending = { reason: error.uri ?? "", message: error.message };
    }
    if (signal.aborted) return;
    if (session && Date.now() - openedAt >= HEALTHY_AFTER_MS) {
      this.#failures = 0;
      this.#isRenewing = false;
    }
    this.#retry(ending, Boolean(session));
  }

  /** Wait for the next attempt, or stay offline, after a session or an attempt to open one ended. */
  #retry({ reason, message }, wasOpen) {
    const delay = this.#delay(reason, wasOpen);
    if (delay === undefined) {
      this.#wasOnline = false;
      this.#listen("removeEventListener");
      return this.#setState({ name: "offline", reason, message });
    }
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.#setState({ name: "waiting", reason, message, retryAt: Date.now() + delay });
  }

  /** Return the milliseconds until the next attempt; undefined to give up. */
  #delay(reason, wasOpen) {
    if (TRANSIENT_REASONS.includes(reason)) {
      return Math.random() * Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#failures++);
    }
    const slowDelay = SLOW_DELAY_MS * (0.5 + 0.5 * Math.random());
    if (!wasOpen) return this.#wasOnline ? slowDelay : undefined;
    if (!RENEWABLE_REASONS.includes(reason)) return undefined;
    if (this.#isRenewing) return slowDelay;
    this.#isRenewing = true;
    // A logout ends the sessions of one user. The other reasons may end those of all pages.
    return reason === LOGOUT ? 0 : Math.random() * FIRST_DELAY_MS;
  }
}
