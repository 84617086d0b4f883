/**
 * Drives a WAMP client by commands: the same in Node.js (`main.js`) and in a page (`page.js`).
 *
 * A command is `{id, op, ...}`; its answer `{id, value}` or `{id, error: {uri, args, kwargs}}`. An event that the
 * client receives is reported as `{event: {topic, subscribed, args, kwargs}}`. Binary values travel as
 * `{"$bytes": base64}`. An adapter's `connect(library, options)` gives the client: `subscribe`, `unsubscribe`,
 * `publish`, `register`, `unregister`, `call`, `close`.
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

  async subscribe({ topic: subscribed, match }) {
    const onEvent = (args, kwargs, topic) =>
      this.#report({ event: encode({ topic, subscribed, args: args ?? [], kwargs: kwargs ?? {} }) });
    this.#subscriptions.set(subscribed, await this.#client.subscribe(subscribed, match, onEvent));
  }

  async unsubscribe({ topic }) {
    await this.#client.unsubscribe(this.#subscriptions.get(topic));
  }

  async publish({ topic, args, kwargs }) {
    await this.#client.publish(topic, args, kwargs);
  }

  async register({ procedure, answer }) {
    this.#registrations.set(procedure, await this.#client.register(procedure, PROCEDURES[answer]));
  }

  async unregister({ procedure }) {
    await this.#client.unregister(this.#registrations.get(procedure));
  }

  async call({ procedure, args, kwargs }) {
    const result = await this.#client.call(procedure, args, kwargs);
    return { args: result.args ?? [], kwargs: result.kwargs ?? {} };
  }

  close() {
    return this.#client.close();
  }
}
