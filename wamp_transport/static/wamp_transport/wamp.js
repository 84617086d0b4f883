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
 * It takes all four client roles. It joins as anonymous, or as the user whom the server knows by a cookie, with the
 * option `authmethods: ["django-session"]`; it answers no challenge. It does not reconnect: a session is over when its
 * connection is; `connection.js` opens the next one.
 */

export const SUBPROTOCOL = "wamp.2.json";

const HELLO = 1, WELCOME = 2, ABORT = 3, CHALLENGE = 4, GOODBYE = 6, ERROR = 8;
const PUBLISH = 16, PUBLISHED = 17;
const SUBSCRIBE = 32, SUBSCRIBED = 33, UNSUBSCRIBE = 34, UNSUBSCRIBED = 35, EVENT = 36;
const CALL = 48, CANCEL = 49, RESULT = 50;
const REGISTER = 64, REGISTERED = 65, UNREGISTER = 66, UNREGISTERED = 67, INVOCATION = 68, INTERRUPT = 69, YIELD = 70;

/** What this client can do, told to the router in HELLO. */
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

/** How long `close()` waits for the router's GOODBYE before it hangs up. */
const GOODBYE_TIMEOUT_MS = 5000;

/** Any failure WAMP can name: an ERROR or ABORT from the router, a callee's own error, or a lost connection. */
export class WampError extends Error {
  /**
   * @param {string} uri what went wrong, e.g. `wamp.error.no_such_procedure`
   * @param {Array} args positional detail; a leading string is the text for people
   * @param {Object} kwargs detail by name
   */
  constructor(uri, args = [], kwargs = {}) {
    super(typeof args[0] === "string" ? args[0] : uri);
    this.name = "WampError";
    this.uri = uri;
    this.args = args;
    this.kwargs = kwargs;
  }
}

/** A call's outcome. A procedure returns one to answer with several values or with named ones. */
export class Result {
  constructor(args = [], kwargs = {}, details = {}) {
    this.args = args;
    this.kwargs = kwargs;
    this.details = details;
  }
}

/** Application payload as the end of a message: what is empty is left out. */
function payload(args = [], kwargs = {}) {
  if (Object.keys(kwargs).length) return [args, kwargs];
  return args.length ? [args] : [];
}

/** One session on one realm, over one WebSocket. Made by `Session.open`. */
export class Session {
  /** The session id the router gave, once open. */
  id = null;
  /** The router's details from WELCOME: `authid`, `authrole`, `roles`, ... */
  details = {};
  /** Resolves once, with `{reason, message, byRouter}`, when the session has ended for any cause. Never rejects. */
  closed;

  #socket;
  #onTraffic;
  #state = "joining"; // joining -> open -> leaving -> closed, or straight to closed
  #ending = null; // what `closed` will say
  #settle = {}; // resolvers of the promises `open` and `closed`
  #lastRequestId = 0;
  #running = new Map(); // invocation's request id -> AbortController
  #requests = new Map(); // request id -> {resolve, reject, onReply, onProgress}
  #subscriptions = new Map(); // subscription id -> Set of handlers
  #registrations = new Map(); // registration id -> procedure
  #goodbyeTimer;

  /**
   * Connect, join `realm`, and resolve with the open session.
   *
   * @param {string} url `ws://` or `wss://` address of the router's WebSocket path
   * @param {string} realm realm to join
   * @param {Object} [options]
   * @param {string[]} [options.authmethods] how to join, in this order: `django-session`, `cookie`, `anonymous`
   * @param {(direction: "sent"|"received", text: string) => void} [options.onTraffic] sees each message as it travels
   * @param {typeof WebSocket} [options.WebSocket] another implementation, e.g. that of `ws` in Node.js
   * @throws {WampError} with the ABORT's reason, or `wamp.close.transport_lost` when there is no connection
   */
  static open(url, realm, { authmethods, onTraffic = () => {}, WebSocket = globalThis.WebSocket } = {}) {
    const details = { agent: "wampnode-page", roles: ROLES, ...(authmethods ? { authmethods } : {}) };
    return new Promise((resolve, reject) => {
      new Session(new WebSocket(url, [SUBPROTOCOL]), [HELLO, realm, details], onTraffic, { resolve, reject });
    });
  }

  /** @private use `Session.open` */
  constructor(socket, hello, onTraffic, opening) {
    this.#socket = socket;
    this.#onTraffic = onTraffic;
    this.#settle.open = opening;
    this.closed = new Promise((resolve) => (this.#settle.closed = resolve));
    socket.onopen = () => this.#send(hello);
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#finish(event);
    socket.onerror = () => {}; // `close` follows, and says more
  }

  get isOpen() {
    return this.#state === "open";
  }

  /** The serializer in use, as negotiated: `json`. */
  get serializer() {
    return this.#socket.protocol.split(".").pop();
  }

  /**
   * Receive the events of a topic: `handler(args, kwargs, details)`, where `details.topic` is always set.
   * @param {Object} [options] e.g. `{match: "prefix"}`
   * @returns {Promise<{id: number, topic: string, handler: Function}>} the receipt that `unsubscribe` takes
   */
  subscribe(topic, handler, options = {}) {
    const deliver = (args, kwargs, details) => handler(args, kwargs, { topic, ...details });
    return this.#request([SUBSCRIBE, options, topic], ([, , id]) => {
      if (!this.#subscriptions.has(id)) this.#subscriptions.set(id, new Set());
      this.#subscriptions.get(id).add(deliver);
      return { id, topic, handler: deliver };
    });
  }

  /** Stop one handler; the router hears of it when no other handler of this session wants the same events. */
  async unsubscribe({ id, handler }) {
    const handlers = this.#subscriptions.get(id);
    if (!handlers?.delete(handler) || handlers.size) return;
    this.#subscriptions.delete(id);
    await this.#request([UNSUBSCRIBE, id], () => {});
  }

  /**
   * Publish an event. With `{acknowledge: true}` the promise waits for the router and gives the publication id;
   * without, it resolves with nothing as soon as the message is on its way and an error is not reported.
   */
  async publish(topic, args = [], kwargs = {}, options = {}) {
    const message = [PUBLISH, options, topic, ...payload(args, kwargs)];
    if (options.acknowledge) return this.#request(message, ([, , publicationId]) => publicationId);
    this.#sendRequest(message);
  }

  /**
   * Offer a procedure: `procedure(args, kwargs, details)` returns a value, a `Result` or a promise of either.
   * A `WampError` it throws reaches the caller as it is, anything else as `wamp.error.runtime_error`.
   * When the caller wants progressive results, `details.progress(args, kwargs)` sends one. `details.signal` (an
   * AbortSignal) tells when the call was canceled: it has been answered then, whatever the procedure does.
   * @returns {Promise<{id: number, procedure: string}>} the receipt that `unregister` takes
   */
  register(uri, procedure, options = {}) {
    return this.#request([REGISTER, options, uri], ([, , id]) => {
      this.#registrations.set(id, { uri, procedure });
      return { id, procedure: uri };
    });
  }

  /** Withdraw a procedure. Calls that are already here are still answered. */
  unregister({ id }) {
    return this.#request([UNREGISTER, id], () => void this.#registrations.delete(id));
  }

  /**
   * Call a procedure.
   * @param {Object} [options] WAMP's own, e.g. `{timeout: 1000}`, `onProgress(result)` for progressive results, and
   *   `signal`, an AbortSignal that cancels the call: `abort("skip")` or `abort("killnowait")` in that mode, else "kill"
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

  /** Leave in good manners: GOODBYE both ways, then hang up. Resolves like `closed`. */
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

  /** Send a request with the next id, in second place. Where a value is not JSON it throws, and no id is used up. */
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
          queueMicrotask(() => { throw error; }); // reported as uncaught; the other handlers get their event
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

  /** The session is over by word; the connection goes next, and `#finish` tells everybody. */
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
    this.#settle.open.reject(error); // does nothing if the session had been opened
    for (const request of this.#requests.values()) request.reject(error);
    this.#requests.clear();
    this.#settle.closed(this.#ending);
  }
}
