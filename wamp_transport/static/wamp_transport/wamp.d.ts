/** Types of `wamp.js`. */

export type Args = any[];
export type Kwargs = Record<string, any>;
/** Options and details of WAMP messages: `match`, `retain`, `publisher`, ... */
export type Dict = Record<string, any>;

export const SUBPROTOCOL: "wamp.2.json";

/** An error with a URI: an ERROR or ABORT from the router, an error of a callee, or a lost connection. */
export class WampError extends Error {
  constructor(uri: string, args?: Args, kwargs?: Kwargs);
  uri: string;
  args: Args;
  kwargs: Kwargs;
}

/** The result of a call. A procedure returns one to answer with several values or with named ones. */
export class Result {
  constructor(args?: Args, kwargs?: Kwargs, details?: Dict);
  args: Args;
  kwargs: Kwargs;
  details: Dict;
}

export interface EventDetails extends Dict {
  topic: string;
  publication: number;
  publisher?: number;
  retained?: boolean;
}

export interface InvocationDetails extends Dict {
  procedure: string;
  caller?: number;
  /** Aborted when the call is canceled or the session ends. */
  signal: AbortSignal;
  /** Send a progressive result. Only present if the caller wants them. */
  progress?: (args?: Args, kwargs?: Kwargs) => void;
}

export type EventHandler = (args: Args, kwargs: Kwargs, details: EventDetails) => void;
export type Procedure = (args: Args, kwargs: Kwargs, details: InvocationDetails) => unknown;
export type MatchPolicy = "exact" | "prefix" | "wildcard";

export interface SubscribeOptions extends Dict {
  match?: MatchPolicy;
  get_retained?: boolean;
}

export interface RegisterOptions extends Dict {
  match?: MatchPolicy;
  invoke?: "single" | "first" | "last" | "roundrobin" | "random";
  force_reregister?: boolean;
}

export interface PublishOptions extends Dict {
  acknowledge?: boolean;
  exclude_me?: boolean;
  retain?: boolean;
}

export interface CallOptions extends Dict {
  /** Milliseconds; 0 sets no limit. */
  timeout?: number;
  onProgress?: (result: Result) => void;
  signal?: AbortSignal;
}

export interface SessionOptions {
  /** Methods to offer, in this order. */
  authmethods?: string[];
  /** Signed token for the methods `token` and `ticket`, or a function that fetches one for each session. */
  token?: string | (() => string | Promise<string>);
  /** Answers the challenges of other methods. */
  onChallenge?: (method: string, extra: Dict) => ChallengeAnswer | Promise<ChallengeAnswer>;
  authid?: string;
  authextra?: Dict;
  /** Milliseconds for connecting and joining: 10000. */
  openTimeout?: number;
  /** Milliseconds without messages until a heartbeat is sent: 20000; 0 sends none. */
  heartbeatInterval?: number;
  /** Milliseconds for calls that do not set `timeout` themselves: 30000; 0 sets no limit. */
  callTimeout?: number;
  /** Receives each message as text. */
  onTraffic?: (direction: "sent" | "received", text: string) => void;
  /** Another implementation, e.g. that of `ws` in Node.js. */
  WebSocket?: new (url: string, protocols: string[]) => any;
}

export type ChallengeAnswer = string | { signature: string; extra?: Dict };

export interface Ending {
  reason: string;
  message: string;
  byRouter: boolean;
}

export interface SubscriptionReceipt {
  id: number;
  topic: string;
  handler: EventHandler;
}

export interface RegistrationReceipt {
  id: number;
  procedure: string;
}

/** A session on one realm, over one WebSocket. */
export class Session {
  private constructor();
  /** Connect, join `realm`, and resolve with the open session. `signal` cancels the opening. */
  static open(url: string, realm: string, options?: SessionOptions & { signal?: AbortSignal }): Promise<Session>;
  readonly id: number;
  /** The router's details from WELCOME: `authid`, `authrole`, `roles`, ... */
  readonly details: Dict;
  /** Resolves when the session has ended. It never rejects. */
  readonly closed: Promise<Ending>;
  readonly isOpen: boolean;
  readonly serializer: string;
  subscribe(topic: string, handler: EventHandler, options?: SubscribeOptions): Promise<SubscriptionReceipt>;
  unsubscribe(receipt: SubscriptionReceipt): Promise<void>;
  /** Resolves with the publication's id if `acknowledge` is set. */
  publish(topic: string, args?: Args, kwargs?: Kwargs, options?: PublishOptions): Promise<number | undefined>;
  register(uri: string, procedure: Procedure, options?: RegisterOptions): Promise<RegistrationReceipt>;
  unregister(receipt: RegistrationReceipt): Promise<void>;
  call(procedure: string, args?: Args, kwargs?: Kwargs, options?: CallOptions): Promise<Result>;
  /** Send a heartbeat now. */
  probe(): void;
  close(reason?: string): Promise<Ending>;
}
