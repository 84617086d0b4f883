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
 * The client implements all four roles. It joins anonymously or, with the option `authmethods: ["django-session"]`, as
 * the logged-in user of the Django site. It does not support authentication methods that send a challenge. It does not
 * reconnect: a session ends with its connection. `connection.js` opens a new session after a lost connection.
 */

export const SUBPROTOCOL = "wamp.2.json";

const HELLO = 1, WELCOME = 2, ABORT = 3, CHALLENGE = 4, GOODBYE = 6, ERROR = 8;
const PUBLISH = 16, PUBLISHED = 17;
const SUBSCRIBE = 32, SUBSCRIBED = 33, UNSUBSCRIBE = 34, UNSUBSCRIBED = 35, EVENT = 36;
const CALL = 48, CANCEL = 49, RESULT = 50;
const REGISTER = 64, REGISTERED = 65, UNREGISTER = 66, UNREGISTERED = 67, INVOCATION = 68, INTERRUPT = 69, YIELD = 70;

/** The roles and features of this client, which HELLO announces to the router. */
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

/** The time for which `close()` waits for the router's GOODBYE before it closes the connection. */
const GOODBYE_TIMEOUT_MS = 5000;

/** An error with a WAMP URI: ERROR or ABORT from the router, an error of a callee, or a lost connection. */
export class WampError extends Error {
  /**
   * @param {string} uri the error, e.g. `wamp.error.no_such_procedure`
   * @param {Array} args positional details; if the first one is a string, it becomes the message
   * @param {Object} kwargs keyword details
   */
  constructor(uri, args = [], kwargs = {}) {
    super(typeof args[0] === "string" ? args[0] : uri);
    this.name = "WampError";
    this.uri = uri;
    this.args = args;
    this.kwargs = kwargs;
  }
}

/** The result of a call. A procedure returns a `Result` if it has several values or keyword values. */
export class Result {
  constructor(args = [], kwargs = {}, details = {}) {
    this.args = args;
    this.kwargs = kwargs;
    this.details = details;
  }
}

/** Return the last elements of a message, which contain the payload. Empty elements are omitted. */
function payload(args = [], kwargs = {}) {
  if (Object.keys(kwargs).length) return [args, kwargs];
  return args.length ? [args] : [];
}

/** A session on a realm, over its own WebSocket. Create it with `Session.open`. */
export class Session {
  /** The session ID; null until the session is open. */
  id = null;
  /** The router's details from WELCOME: `authid`, `authrole`, `roles`, ... */
  details = {};
  /** A promise that resolves with `{reason, message, byRouter}` when the session has ended. It never rejects. */
  closed;

  #socket;
  #onTraffic;
  #state = "joining"; // joining -> open -> leaving -> closed; each state can also change directly to closed
  #ending = null; // the value with which `closed` resolves
  #settle = {}; // the functions that settle the promises of `Session.open` and `closed`
  #lastRequestId = 0;
  #running = new Map(); // request ID of an INVOCATION -> AbortController
  #requests = new Map(); // request ID -> {resolve, reject, onReply, onProgress}
  #subscriptions = new Map(); // subscription ID -> Set of handlers
  #registrations = new Map(); // registration ID -> {uri, procedure}
  #goodbyeTimer;

  /**
   * Connect, join `realm`, and resolve with the open session.
   *
   * @param {string} url `ws://` or `wss://` address of the router's WebSocket path
   * @param {string} realm realm to join
   * @param {Object} [options]
   * @param {string[]} [options.authmethods] the methods to try, in order: `django-session`, `cookie`, `anonymous`
   * @param {(direction: "sent"|"received", text: string) => void} [options.onTraffic] called with each message
   * @param {typeof WebSocket} [options.WebSocket] another implementation, e.g. the one of `ws` in Node.js
   * @throws {WampError} with the reason of ABORT, or `wamp.close.transport_lost` if there is no connection
   */
  static open(url, realm, { authmethods, onTraffic = () => {}, WebSocket = globalThis.WebSocket } = {}) {
    const details = { agent: "wampnode-page", roles: ROLES, ...(authmethods ? { authmethods } : {}) };
    return new Promise((resolve, reject) => {
      new Session(new WebSocket(url, [SUBPROTOCOL]), [HELLO, realm, details], onTraffic, { resolve, reject });
    });
  }

  /** @private Use `Session.open` instead. */
  constructor(socket, hello, onTraffic, opening) {
    this.#socket = socket;
    this.#onTraffic = onTraffic;
    this.#settle.open = opening;
    this.closed = new Promise((resolve) => (this.#settle.closed = resolve));
    socket.onopen = () => this.#send(hello);
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#finish(event);
    socket.onerror = () => {}; // a `close` event with more details follows
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
   * @returns {Promise<{id: number, topic: string, handler: Function}>} the argument for `unsubscribe`
   */
  subscribe(topic, handler, options = {}) {
    const deliver = (args, kwargs, details) => handler(args, kwargs, { topic, ...details });
    return this.#request([SUBSCRIBE, options, topic], ([, , id]) => {
      if (!this.#subscriptions.has(id)) this.#subscriptions.set(id, new Set());
      this.#subscriptions.get(id).add(deliver);
      return { id, topic, handler: deliver };
    });
  }

  /** Remove a handler. The last handler of a subscription also removes the subscription from the router. */
  async unsubscribe({ id, handler }) {
    const handlers = this.#subscriptions.get(id);
    if (!handlers?.delete(handler) || handlers.size) return;
    this.#subscriptions.delete(id);
    await this.#request([UNSUBSCRIBE, id], () => {});
  }

  /**
   * Publish an event. With `{acknowledge: true}`, the promise resolves with the publication ID when the router has
   * acknowledged the event. Otherwise it resolves with `undefined` as soon as the message is sent, and errors of the
   * router are not reported.
   */
  async publish(topic, args = [], kwargs = {}, options = {}) {
    const message = [PUBLISH, options, topic, ...payload(args, kwargs)];
    if (options.acknowledge) return this.#request(message, ([, , publicationId]) => publicationId);
    this.#sendRequest(message);
  }

  /**
   * Register a procedure: `procedure(args, kwargs, details)` returns a value, a `Result` or a promise of either.
   * A thrown `WampError` is sent to the caller unchanged; any other error is sent as `wamp.error.runtime_error`.
   * If the caller accepts progressive results, `details.progress(args, kwargs)` sends one. `details.signal` is an
   * AbortSignal that is aborted when the call is canceled. The caller then gets `wamp.error.canceled`, and the result
   * of the procedure is discarded.
   * @returns {Promise<{id: number, procedure: string}>} the argument for `unregister`
   */
  register(uri, procedure, options = {}) {
    return this.#request([REGISTER, options, uri], ([, , id]) => {
      this.#registrations.set(id, { uri, procedure });
      return { id, procedure: uri };
    });
  }

  /** Unregister a procedure. Calls that are already running are still answered. */
  unregister({ id }) {
    return this.#request([UNREGISTER, id], () => void this.#registrations.delete(id));
  }

  /**
   * Call a procedure.
   * @param {Object} [options] the options of CALL, e.g. `{timeout: 1000}`, and two more: `onProgress(result)` is called
   *   with progressive results; `signal` is an AbortSignal that cancels the call. The reason of the abort, if it is a
   *   string, is the mode: "skip", "killnowait" or "kill". The default is "kill".
   * @returns {Promise<Result>}
   */
  async call(procedure, args = [], kwargs = {}, { onProgress, signal, ...options } = {}) {
    signal?.throwIfAborted();
    if (onProgress) options.receive_progress = true;
    const message = [CALL, options, procedure, ...payload(args, kwargs)];
    const reply = this.#request(message, ([, , details, ...data]) => new Result(data[0], data[1], details), onProgress);
    const requestId = this.#lastRequestId;
    const mode = () => (typeof signal.reason === "string" ? signal.reason : "kill");
    const cancel = () => this.#send([CANCEL, requestId, { mode: mode() }]);
    signal?.addEventListener("abort", cancel);
    try {
      return await reply;
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** Leave the realm: exchange GOODBYE messages, then close the connection. Return the promise `closed`. */
  close(reason = "wamp.close.normal") {
    if (this.#state === "open") {
      this.#state = "leaving";
      this.#send([GOODBYE, {}, reason]);
      this.#goodbyeTimer = setTimeout(() => this.#socket.close(), GOODBYE_TIMEOUT_MS);
    } else if (this.#state === "joining") {
      this.#socket.close();
    }
    return this.closed;
  }

  // --- sending -----------------------------------------------------------------------------------------------

  #send(message) {
    const text = JSON.stringify(message);
    this.#onTraffic("sent", text);
    this.#socket.send(text);
  }

  /** Send a request, with the next ID inserted after the code. If JSON cannot represent it, throw, and use no ID. */
  #sendRequest([code, ...rest]) {
    if (!this.isOpen) throw new WampError("wamp.close.transport_lost", ["The session is not open."]);
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

  // --- receiving ---------------------------------------------------------------------------------------------

  #receive(text) {
    this.#onTraffic("received", text);
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
      this.#settle.open.resolve(this);
    },
    [ABORT]: (message) => this.#onAbort(message),
    [CHALLENGE]: ([, method]) => {
      const text = `The router asks for authentication (${method}); this client has no answer.`;
      this.#send([ABORT, { message: text }, "wamp.error.cannot_authenticate"]);
      this.#end("wamp.error.cannot_authenticate", text, true);
    },
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
          queueMicrotask(() => { throw error; }); // reported as uncaught, so that the other handlers still get the event
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

  /** Record why the session ended, and close the connection. Then `#finish` settles all promises. */
  #end(reason, message, byRouter) {
    this.#ending = { reason, message, byRouter };
    this.#socket.close();
  }

  #finish({ code, reason }) {
    clearTimeout(this.#goodbyeTimer);
    const lost = this.#state === "joining" ? "There is no connection to the router" : "The connection was lost";
    this.#ending ??= {
      reason: "wamp.close.transport_lost",
      message: `${lost} (${[`code ${code}`, reason].filter(Boolean).join(": ")}).`,
      byRouter: false,
    };
    const error = new WampError(this.#ending.reason, this.#ending.message ? [this.#ending.message] : []);
    this.#state = "closed";
    this.#settle.open.reject(error); // has no effect if the session was open
    for (const request of this.#requests.values()) request.reject(error);
    this.#requests.clear();
    this.#settle.closed(this.#ending);
  }
}
