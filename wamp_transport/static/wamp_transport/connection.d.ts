/** Types of `connection.js`. */

import type {
  Args,
  CallOptions,
  EventHandler,
  Kwargs,
  Procedure,
  PublishOptions,
  RegisterOptions,
  Result,
  Session,
  SessionOptions,
  SubscribeOptions,
  WampError,
} from "./wamp.js";

interface Offline {
  name: "offline" | "connecting" | "waiting";
  session: null;
}

interface Online {
  name: "online";
  session: Session;
}

export type ConnectionState = (Offline | Online) & {
  /** URI of the reason why there is no session. */
  reason: string;
  /** The reason as a human-readable message. */
  message: string;
  /** Time of the next attempt, as `Date.now()`; 0 unless waiting. */
  retryAt: number;
};

export interface SubscriptionErrorEvent extends Event {
  topic: string;
  error: WampError;
}

export interface RegistrationErrorEvent extends Event {
  procedure: string;
  error: WampError;
}

export interface ConnectionEvents {
  change: Event;
  subscriptionerror: SubscriptionErrorEvent;
  registrationerror: RegistrationErrorEvent;
}

/** Keeps a WAMP session open: after a lost connection, it opens the next session with increasing delays. */
export class Connection extends EventTarget {
  /** `url` may be a path on the page's own server. */
  constructor(url: string, realm: string, options?: SessionOptions);
  readonly state: ConnectionState;
  /** Connect now, even if the next attempt is due later. */
  open(): void;
  /** Close the session, or stop connecting, and do not reconnect until `open()`. */
  close(): Promise<void>;
  /** Subscribe in the current session and in every later one. Returns a function that unsubscribes. */
  subscribe(topic: string, handler: EventHandler, options?: SubscribeOptions): () => void;
  /** Register in the current session and in every later one. Returns a function that unregisters. */
  register(uri: string, procedure: Procedure, options?: RegisterOptions): () => void;
  call(procedure: string, args?: Args, kwargs?: Kwargs, options?: CallOptions): Promise<Result>;
  publish(topic: string, args?: Args, kwargs?: Kwargs, options?: PublishOptions): Promise<number | undefined>;
  addEventListener<Name extends keyof ConnectionEvents>(
    type: Name,
    listener: (this: Connection, event: ConnectionEvents[Name]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Name extends keyof ConnectionEvents>(
    type: Name,
    listener: (this: Connection, event: ConnectionEvents[Name]) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}
