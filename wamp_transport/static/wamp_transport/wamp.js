/**
 * A small WAMP v2 client: one ES module, no dependencies, JSON over WebSocket (subprotocol `wamp.2.json`).
 *
 *     const session = await Session.open("wss://example.com/ws", "realm1");
 *     await session.subscribe("com.example.chat", (args, kwargs, details) => console.log(args[0]));
 *     await session.publish("com.example.chat", ["hello"], {}, { acknowledge: true });
 *     await session.register("com.example.add2", ([a, b]) => a + b);
 *     const result = await session.call("com.example.add2", [2, 3]);   // result.args[0] === 5
 *     await session.close();
 *
 * It supports all four client roles. It joins as anonymous, as the user of a cookie (`authmethods: ["django-session"]`),
 * with a signed token (`token`), or with any other method (`onChallenge`). It does not reconnect: a session ends with
 * its connection, and `connection.js` opens the next one.
 */

export const SUBPROTOCOL = "wamp.2.json";

const HELLO = 1, WELCOME = 2, ABORT = 3, CHALLENGE = 4, AUTHENTICATE = 5, GOODBYE = 6, ERROR = 8;
const PUBLISH = 16, PUBLISHED = 17;
const SUBSCRIBE = 32, SUBSCRIBED = 33, UNSUBSCRIBE = 34, UNSUBSCRIBED = 35, EVENT = 36;
const CALL = 48, CANCEL = 49, RESULT = 50;
const REGISTER = 64, REGISTERED = 65, UNREGISTER = 66, UNREGISTERED = 67, INVOCATION = 68, INTERRUPT = 69, YIELD = 70;

/** The features that this client announces in HELLO. */
const ROLES = {
  publisher: { features: { publisher_exclusion: true, publisher_identification: true, subscriber_blackwhite_listing: true } },
  subscriber: { features: { pattern_based_subscription: true, publisher_identification: true } },
  caller: {
    features: { call_canceling: true, call_timeout: true, caller_identification: true, progressive_call_results: true },
  },
  callee: {
    features: {
      call_canceling: true,
      caller_identification: true,
      pattern_based_registration: true,
      progressive_call_results: true,
      shared_registration: true,
    },
  },
};

/** How long `close()` waits for the router's GOODBYE before it closes the connection. */
const GOODBYE_TIMEOUT_MS = 5000;
/** How long a heartbeat waits for any message before the connection counts as lost. */
const HEARTBEAT_TIMEOUT_MS = 10000;
/** The highest id of WAMP. Routers count up from 1 or draw ids at random, so no subscription has it. */
const UNUSED_ID = Number.MAX_SAFE_INTEGER;

const TRANSPORT_LOST = "wamp.close.transport_lost";
const CANNOT_AUTHENTICATE = "wamp.error.cannot_authenticate";

/** An error with a URI: an ERROR or ABORT from the router, an error of a callee, or a lost connection. */
export class WampError extends Error {
  /**
   * @param {string} uri the reason, e.g. `wamp.error.no_such_procedure`
   * @param {Array} args positional details; a leading string is a human-readable message
   * @param {Object} kwargs details by name
   */
  constructor(uri, args = [], kwargs = {}) {
    super(typeof args[0] === "string" ? args[0] : uri);
    this.name = "WampError";
    this.uri = uri;
    this.args = args;
    this.kwargs = kwargs;
  }
}

/** The result of a call. A procedure returns one to answer with several values or with named ones. */
export class Result {
  constructor(args = [], kwargs = {}, details = {}) {
    this.args = args;
    this.kwargs = kwargs;
    this.details = details;
  }
}

/** Return the payload as the end of a message, without its empty parts. */
function payload(args = [], kwargs = {}) {
  if (Object.keys(kwargs).length) return [args, kwargs];
  return args.length ? [args] : [];
}

/** A session on one realm, over one WebSocket. `Session.open` creates it. */
export class Session {
  /** The session id, once the session is open. */
  id = null;
  /** The router's details from WELCOME: `authid`, `authrole`, `roles`, ... */
  details = {};
  /** A promise of `{reason, message, byRouter}` that resolves when the session has ended. It never rejects. */
  closed;

  #socket;
  #options;
  #state = "joining"; // joining -> open -> leaving -> closed; any state can go to closed
  #resolvers = {}; // of the promises `open` and `closed`
  #lastRequestId = 0;
  #running = new Map(); // invocation's request id -> AbortController
  #requests = new Map(); // request id -> {resolve, reject, onReply, onProgress}
  #subscriptions = new Map(); // subscription id -> Set of handlers
  #registrations = new Map(); // registration id -> procedure
  #timer; // one at a time: the limit for joining, the next heartbeat or its limit, the limit for leaving
  #receivedAt = 0;
  #isProbing = false;

  /**
   * Connect, join `realm`, and resolve with the open session. All times are in milliseconds.
   *
   * @param {string} url `ws://` or `wss://` address of the router's WebSocket path
   * @param {string} realm realm to join
   * @param {Object} [options]
   * @param {string[]} [options.authmethods] methods to offer, in this order: `django-session`, `cookie`, `anonymous`, ...
   * @param {string|(() => string|Promise<string>)} [options.token] signed token, or a function that fetches one for each
   *   session; it answers challenges of the methods `token` and `ticket`, which are the default of `authmethods` then
   * @param {(method: string, extra: Object) => string|Object|Promise} [options.onChallenge] answers other challenges with
   *   a signature, or with `{signature, extra}`
   * @param {string} [options.authid] authid to ask for
   * @param {Object} [options.authextra] details that some methods need in HELLO
   * @param {number} [options.openTimeout] limit for connecting and joining
   * @param {number} [options.heartbeatInterval] time without messages until a heartbeat is sent; 0 sends none
   * @param {number} [options.callTimeout] limit for calls that do not set `timeout` themselves; 0 sets none
   * @param {AbortSignal} [options.signal] cancels the opening
   * @param {(direction: "sent"|"received", text: string) => void} [options.onTraffic] receives each message as text
   * @param {typeof WebSocket} [options.WebSocket] another implementation, e.g. that of `ws` in Node.js
   * @throws {WampError} with the ABORT's reason, or `wamp.close.transport_lost` if there is no connection
   */
  static async open(url, realm, options = {}) {
    const { WebSocket = globalThis.WebSocket, signal } = options;
    signal?.throwIfAborted();
    const socket = new WebSocket(url, [SUBPROTOCOL]);
    return new Promise((resolve, reject) => {
      const session = new Session(socket, realm, options, { resolve, reject });
      signal?.addEventListener("abort", () => session.#state === "joining" && session.close());
    });
  }

  /** @private use `Session.open` */
  constructor(socket, realm, options, opening) {
    this.#socket = socket;
    const { openTimeout = 10000, heartbeatInterval = 20000, callTimeout = 30000 } = options;
    this.#options = { ...options, heartbeatInterval, callTimeout };
    this.#resolvers.open = opening;
    this.closed = new Promise((resolve) => (this.#resolvers.closed = resolve));
    const { token, authmethods = token && ["token", "ticket"], authid, authextra } = options;
    const details = { agent: "wampnode-page", roles: ROLES, authmethods, authid, authextra };
    socket.onopen = () => this.#send([HELLO, realm, details]);
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#onClose(event);
    socket.onerror = () => {}; // `close` follows with the details; `ws` raises errors that have no listener
    this.#startTimer(openTimeout, () => this.#lose("The router did not answer in time."));
  }

  get isOpen() {
    return this.#state === "open";
  }

  /** The negotiated serializer: `json`. */
  get serializer() {
    return this.#socket.protocol.split(".").pop();
  }

  /**
   * Subscribe to a topic. Events are passed to `handler(args, kwargs, details)`; `details.topic` is always set.
   * @param {Object} [options] e.g. `{match: "prefix"}`
   * @returns {Promise<{id: number, topic: string, handler: Function}>} a receipt for `unsubscribe`
   */
  subscribe(topic, handler, options = {}) {
    const deliver = (args, kwargs, details) => handler(args, kwargs, { topic, ...details });
    return this.#request([SUBSCRIBE, options, topic], ([, , id]) => {
      if (!this.#subscriptions.has(id)) this.#subscriptions.set(id, new Set());
      this.#subscriptions.get(id).add(deliver);
      return { id, topic, handler: deliver };
    });
  }

  /** Remove a handler. The last handler of a subscription ends it at the router. */
  async unsubscribe({ id, handler }) {
    const handlers = this.#subscriptions.get(id);
    if (!handlers?.delete(handler) || handlers.size) return;
    this.#subscriptions.delete(id);
    await this.#request([UNSUBSCRIBE, id], () => {});
  }

  /**
   * Publish an event. With `{acknowledge: true}` the promise waits for the router and resolves with the publication id.
   * Otherwise it resolves as soon as the message is sent, and errors are not reported.
   */
  async publish(topic, args = [], kwargs = {}, options = {}) {
    const message = [PUBLISH, options, topic, ...payload(args, kwargs)];
    if (options.acknowledge) return this.#request(message, ([, , publicationId]) => publicationId);
    this.#sendRequest(message);
  }

  /**
   * Register a procedure: `procedure(args, kwargs, details)` returns a value, a `Result` or a promise of either.
   * If the procedure throws a `WampError`, the caller receives it unchanged. Other errors are sent as
   * `wamp.error.runtime_error`. If the caller wants progressive results, `details.progress(args, kwargs)` sends one.
   * `details.signal` (an AbortSignal) is aborted when the call is canceled. The return value is then ignored, because
   * the call was already answered.
   * @returns {Promise<{id: number, procedure: string}>} a receipt for `unregister`
   */
  register(uri, procedure, options = {}) {
    return this.#request([REGISTER, options, uri], ([, , id]) => {
      this.#registrations.set(id, { uri, procedure });
      return { id, procedure: uri };
    });
  }

  /** Unregister a procedure. Calls that have arrived already are still answered. */
  unregister({ id }) {
    return this.#request([UNREGISTER, id], () => void this.#registrations.delete(id));
  }

  /**
   * Call a procedure. Without an answer within `timeout` or `callTimeout` (for progressive results: since the last one)
   * the call is canceled and fails with `wamp.error.timeout`.
   * @param {Object} [options] WAMP's own, e.g. `{timeout: 1000}`, `onProgress(result)` for progressive results, and
   *   `signal`, an AbortSignal that cancels the call: `abort("skip")` or `abort("killnowait")` in that mode, else "kill"
   * @returns {Promise<Result>}
   */
  async call(procedure, args = [], kwargs = {}, { onProgress, signal, ...options } = {}) {
    signal?.throwIfAborted();
    if (onProgress) options.receive_progress = true;
    const limit = options.timeout ?? this.#options.callTimeout;
    let timer;
    const restartTimer = () => {
      clearTimeout(timer);
      if (limit) timer = setTimeout(() => this.#onCallTimeout(requestId, procedure, limit), limit);
    };
    const toResult = ([, , details, ...data]) => new Result(data[0], data[1], details);
    const reply = this.#request([CALL, options, procedure, ...payload(args, kwargs)], toResult, (result) => {
      restartTimer();
      onProgress?.(result);
    });
    const requestId = this.#lastRequestId;
    const cancel = () => this.#cancel(requestId, typeof signal.reason === "string" ? signal.reason : "kill");
    signal?.addEventListener("abort", cancel);
    restartTimer();
    try {
      return await reply;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
    }
  }

  /**
   * Find out whether the router still answers: send a heartbeat now, without waiting for `heartbeatInterval`.
   * If nothing arrives within 10 s, the session ends with `wamp.close.transport_lost`.
   */
  probe() {
    if (!this.isOpen || this.#isProbing) return;
    this.#isProbing = true;
    // A request that needs no permission. The router answers with an error, and any message counts as an answer.
    this.#request([UNSUBSCRIBE, UNUSED_ID], () => {}).catch(() => {});
    this.#startTimer(HEARTBEAT_TIMEOUT_MS, () => this.#lose("The router no longer answers."));
  }

  /** Send GOODBYE, wait for the router's, and close the connection. Before the session is open, only close it. */
  close(reason = "wamp.close.normal") {
    if (this.#state === "open") {
      this.#state = "leaving";
      this.#isProbing = false; // an answer to a heartbeat must not stop the timer for GOODBYE
      this.#send([GOODBYE, {}, reason]);
      this.#startTimer(GOODBYE_TIMEOUT_MS, () => this.#lose("The router did not answer GOODBYE."));
    } else if (this.#state === "joining") {
      this.#end(reason, "", false);
    }
    return this.closed;
  }

  // --- sending -----------------------------------------------------------------------------------------------

  #send(message) {
    const text = JSON.stringify(message);
    this.#options.onTraffic?.("sent", text);
    this.#socket.send(text);
  }

  /** Send a request, with the next id as its second element. If a value is not JSON, throw and do not use up the id. */
  #sendRequest([code, ...rest]) {
    if (!this.isOpen) throw new WampError(TRANSPORT_LOST, ["The session is not open."]);
    const requestId = this.#lastRequestId + 1;
    this.#send([code, requestId, ...rest]);
    this.#lastRequestId = requestId;
    return requestId;
  }

  async #request(message, onReply, onProgress) {
    const requestId = this.#sendRequest(message);
    return new Promise((resolve, reject) => {
      this.#requests.set(requestId, { resolve, reject, onReply, onProgress });
    });
  }

  #cancel(requestId, mode) {
    if (this.isOpen) this.#send([CANCEL, requestId, { mode }]);
  }

  #onCallTimeout(requestId, procedure, limit) {
    this.#cancel(requestId, "killnowait");
    const text = `${procedure} did not answer within ${limit / 1000} s.`;
    this.#take(requestId)?.reject(new WampError("wamp.error.timeout", [text]));
  }

  // --- time --------------------------------------------------------------------------------------------------

  #startTimer(delay, action) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, delay);
  }

  /** Wait until no message has arrived for `heartbeatInterval`. A timer for each message would be slow. */
  #watch() {
    clearTimeout(this.#timer);
    const { heartbeatInterval } = this.#options;
    if (!heartbeatInterval || !this.isOpen) return;
    const silence = Date.now() - this.#receivedAt; // negative after the clock was set back
    if (silence < 0 || silence >= heartbeatInterval) this.probe();
    else this.#startTimer(heartbeatInterval - silence, () => this.#watch());
  }

  // --- receiving ---------------------------------------------------------------------------------------------

  #receive(text) {
    this.#options.onTraffic?.("received", text);
    this.#receivedAt = Date.now();
    if (this.#isProbing) {
      this.#isProbing = false;
      this.#watch();
    }
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return this.#violation("the message is not JSON");
    }
    const handler = (this.#state === "joining" ? this.#whenJoining : this.#whenJoined)[message[0]];
    if (handler) handler(message);
    else this.#violation(`a message of type ${message[0]} is not expected here`);
  }

  #whenJoining = {
    [WELCOME]: ([, id, details]) => {
      Object.assign(this, { id, details });
      this.#state = "open";
      this.#watch();
      this.#resolvers.open.resolve(this);
    },
    [ABORT]: (message) => this.#onAbort(message),
    [CHALLENGE]: (message) => this.#authenticate(message),
  };

  #whenJoined = {
    [GOODBYE]: ([, details, reason]) => {
      if (this.#state === "open") this.#send([GOODBYE, {}, "wamp.close.goodbye_and_out"]);
      this.#end(reason, details.message ?? "", this.#state === "open");
    },
    [ABORT]: (message) => this.#onAbort(message),
    [ERROR]: ([, , requestId, , uri, args, kwargs]) => {
      this.#take(requestId)?.reject(new WampError(uri, args, kwargs));
    },
    [RESULT]: (message) => {
      const [, requestId, details] = message;
      const request = this.#requests.get(requestId);
      if (details.progress) request?.onProgress?.(request.onReply(message));
      else this.#reply(message);
    },
    [EVENT]: ([, id, publication, details, args = [], kwargs = {}]) => {
      for (const deliver of this.#subscriptions.get(id) ?? []) {
        try {
          deliver(args, kwargs, { publication, ...details });
        } catch (error) {
          queueMicrotask(() => { throw error; }); // reported as uncaught; the other handlers still get the event
        }
      }
    },
    [INVOCATION]: (message) => this.#invoke(message),
    [INTERRUPT]: ([, requestId]) => this.#running.get(requestId)?.abort(),
    [SUBSCRIBED]: (message) => this.#reply(message),
    [UNSUBSCRIBED]: (message) => this.#reply(message),
    [PUBLISHED]: (message) => this.#reply(message),
    [REGISTERED]: (message) => this.#reply(message),
    [UNREGISTERED]: (message) => this.#reply(message),
  };

  async #authenticate([, method, challenge]) {
    const { token, onChallenge } = this.#options;
    try {
      let answer;
      if (token && ["token", "ticket"].includes(method)) answer = typeof token === "function" ? await token() : token;
      else answer = await onChallenge?.(method, challenge);
      const { signature, extra = {} } = typeof answer === "string" ? { signature: answer } : answer ?? {};
      if (typeof signature !== "string") {
        throw new WampError(CANNOT_AUTHENTICATE, [`The router asks for authentication (${method}); there is no answer.`]);
      }
      if (this.#state === "joining") this.#send([AUTHENTICATE, signature, extra]);
    } catch (error) {
      if (this.#state !== "joining") return;
      this.#send([ABORT, {}, CANNOT_AUTHENTICATE]);
      // Other errors come from the project's function, e.g. if it requests a token while the server restarts.
      this.#end(error instanceof WampError ? error.uri : "wamp.error.unavailable", error.message, false);
    }
  }

  #take(requestId) {
    const request = this.#requests.get(requestId);
    this.#requests.delete(requestId);
    return request;
  }

  #reply(message) {
    const request = this.#take(message[1]);
    request?.resolve(request.onReply(message));
  }

  async #invoke([, requestId, registrationId, details, args = [], kwargs = {}]) {
    const registration = this.#registrations.get(registrationId);
    const running = new AbortController();
    this.#running.set(requestId, running);
    const progress = (...data) => {
      if (this.#running.has(requestId)) this.#send([YIELD, requestId, { progress: true }, ...payload(...data)]);
    };
    const answer = (message) => {
      if (this.#running.delete(requestId) && this.isOpen) this.#send(message);
    };
    const fail = ({ uri, args, kwargs }) => answer([ERROR, INVOCATION, requestId, {}, uri, ...payload(args, kwargs)]);
    running.signal.addEventListener("abort", () => fail(new WampError("wamp.error.canceled")));
    const extra = { signal: running.signal, ...(details.receive_progress ? { progress } : {}) };
    try {
      if (!registration) throw new WampError("wamp.error.no_such_procedure");
      const value = await registration.procedure(args, kwargs, { procedure: registration.uri, ...details, ...extra });
      const result = value instanceof Result ? value : new Result(value === undefined ? [] : [value]);
      answer([YIELD, requestId, {}, ...payload(result.args, result.kwargs)]);
    } catch (error) {
      fail(error instanceof WampError ? error : new WampError("wamp.error.runtime_error", [String(error)]));
    }
  }

  // --- ending ------------------------------------------------------------------------------------------------

  #onAbort([, details, reason]) {
    this.#end(reason, details.message ?? "", true);
  }

  #violation(message) {
    this.#send([ABORT, { message }, "wamp.error.protocol_violation"]);
    this.#end("wamp.error.protocol_violation", message, false);
  }

  #lose(message) {
    this.#end(TRANSPORT_LOST, message, false);
  }

  #onClose({ code, reason }) {
    const lost = this.#state === "joining" ? "There is no connection to the router" : "The connection was lost";
    this.#lose(`${lost} (${[`code ${code}`, reason].filter(Boolean).join(": ")}).`);
  }

  /** End the session now. The closing handshake of a WebSocket takes long with a silent peer, so do not wait for it. */
  #end(reason, message, byRouter) {
    clearTimeout(this.#timer);
    this.#state = "closed";
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    const error = new WampError(reason, message ? [message] : []);
    this.#resolvers.open.reject(error); // does nothing if the session was open
    for (const request of this.#requests.values()) request.reject(error);
    this.#requests.clear();
    for (const running of this.#running.values()) running.abort();
    this.#resolvers.closed({ reason, message, byRouter });
  }
}
