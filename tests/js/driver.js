/**
 * Drives a WAMP client by commands: the same in Node.js (`main.js`) and in a page (`page.js`).
 *
 * A command is `{id, op, ...}`; its answer `{id, value}` or `{id, error: {uri, args, kwargs}}`. An event that the
 * client receives is reported as `{event: {topic, subscribed, args, kwargs, details}}`, and so is what happens to a
 * procedure that hangs (`subscribed` is then "called" or "interrupted"). Binary values travel as `{"$bytes": base64}`.
 * An adapter's `connect(library, options)` gives the client: `subscribe`, `unsubscribe`, `publish`, `register`,
 * `unregister`, `call`, `close`. A call gives `{result, cancel}`.
 */

/** An error with a URI, from the router or from a procedure. */
export class ApplicationError extends Error {
  constructor(uri, args, kwargs) {
    super(uri);
    Object.assign(this, { uri, args: args ?? [], kwargs: kwargs ?? {} });
  }
}

/** What a driven client can register. */
const PROCEDURES = {
  echo: (args, kwargs) => ({ args, kwargs }),
  add: ([a, b]) => ({ args: [a + b], kwargs: {} }),
  caller: (args, kwargs, { caller }) => ({ args: [caller ?? null], kwargs: {} }),
  procedure: (args, kwargs, { procedure }) => ({ args: [procedure ?? null], kwargs: {} }),
  callee: (args, kwargs, { sessionId }) => ({ args: [sessionId], kwargs: {} }),
  count: ([count], kwargs, { progress }) => {
    for (let number = 0; number < count; number++) progress?.([number]);
    return { args: [count], kwargs: {} };
  },
  hang: ([name], kwargs, { report, signal }) => {
    const tell = (subscribed) => report({ event: { topic: name, subscribed, args: [], kwargs: {}, details: {} } });
    tell("called");
    signal?.addEventListener("abort", () => tell("interrupted"));
    return new Promise(() => {});
  },
  refuse: (args, kwargs) => {
    throw new ApplicationError("com.example.error.refused", ["Not today.", ...args], { colour: "red", ...kwargs });
  },
};

function fromBase64(text) {
  if (globalThis.Buffer) return Buffer.from(text, "base64");
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

const toBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

function mapValues(value, change) {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, change(item)]));
}

/** A value of a command, with binary values in it. */
export function decode(value) {
  if (Array.isArray(value)) return value.map(decode);
  if (typeof value !== "object" || value === null) return value;
  if (typeof value.$bytes === "string") return fromBase64(value.$bytes);
  return mapValues(value, decode);
}

/** A value for a report. MessagePack libraries give integers beyond 32 bits as BigInt; here they are numbers again. */
export function encode(value) {
  if (ArrayBuffer.isView(value)) return { $bytes: toBase64(value) };
  if (Array.isArray(value)) return value.map(encode);
  if (typeof value === "bigint") {
    if (BigInt(Number(value)) !== value) throw new RangeError(`${value} is not a number of JavaScript`);
    return Number(value);
  }
  return typeof value === "object" && value !== null ? mapValues(value, encode) : value;
}

export class Driver {
  #adapter;
  #library;
  #environment;
  #report;
  #client;
  #subscriptions = new Map();
  #registrations = new Map();
  #started = new Map();

  constructor(adapter, library, environment, report) {
    this.#adapter = adapter;
    this.#library = library;
    this.#environment = environment;
    this.#report = report;
  }

  /** Carry a command out; the answer. Only what has a URI is an answer: anything else is a fault of the test. */
  async handle({ id, op, ...parameters }) {
    try {
      return { id, value: encode(await this[op](decode(parameters))) ?? null };
    } catch (error) {
      if (!(error instanceof ApplicationError)) throw error;
      return { id, error: { uri: error.uri, args: encode(error.args), kwargs: encode(error.kwargs) } };
    }
  }

  async open(options) {
    this.#client = await this.#adapter.connect(this.#library, { ...options, ...this.#environment });
    return this.#client.sessionId;
  }

  async subscribe({ topic: subscribed, options }) {
    const onEvent = (args, kwargs, details) => {
      const { topic = subscribed, publisher, retained } = details;
      const event = { topic, subscribed, args: args ?? [], kwargs: kwargs ?? {}, details: { publisher, retained } };
      this.#report({ event: encode(event) });
    };
    this.#subscriptions.set(subscribed, await this.#client.subscribe(subscribed, options, onEvent));
  }

  async unsubscribe({ topic }) {
    await this.#client.unsubscribe(this.#subscriptions.get(topic));
  }

  async publish({ topic, args, kwargs, options }) {
    await this.#client.publish(topic, args, kwargs, options);
  }

  async register({ procedure, answer, options }) {
    const own = { sessionId: this.#client.sessionId, report: this.#report };
    const endpoint = (args, kwargs, details) => PROCEDURES[answer](args, kwargs, { ...details, ...own });
    this.#registrations.set(procedure, await this.#client.register(procedure, endpoint, options));
  }

  async unregister({ procedure }) {
    await this.#client.unregister(this.#registrations.get(procedure));
  }

  async call({ procedure, args, kwargs, options }) {
    const result = await this.#client.call(procedure, args, kwargs, options).result;
    return { args: result.args ?? [], kwargs: result.kwargs ?? {} };
  }

  async progress({ procedure, args }) {
    const progress = [];
    const onProgress = (part) => progress.push(...part);
    const result = await this.#client.call(procedure, args, {}, {}, onProgress).result;
    return { progress, args: result.args ?? [] };
  }

  async start({ procedure, args }) {
    const call = this.#client.call(procedure, args, {}, {});
    call.result.catch(() => {}); // it is waited for later
    this.#started.set(procedure, call);
  }

  async cancel({ procedure, mode }) {
    this.#started.get(procedure).cancel(mode ? { mode } : {});
  }

  async outcome({ procedure }) {
    const { args, kwargs } = await this.#started.get(procedure).result;
    return { args, kwargs };
  }

  close() {
    return this.#client.close();
  }
}
