/** A program that uses all of the client; the compiler checks it against the declarations. It never runs. */

import { Connection } from "../../../wamp_transport/static/wamp_transport/connection.js";
import { Result, Session, WampError } from "../../../wamp_transport/static/wamp_transport/wamp.js";

const connection = new Connection("/ws", "realm1", {
  authmethods: ["token", "anonymous"],
  token: async () => (await fetch("/token/")).text(),
  onChallenge: (method, extra) => ({ signature: method + extra.challenge, extra: {} }),
  openTimeout: 5000,
  heartbeatInterval: 20000,
  callTimeout: 30000,
  onTraffic: (direction, text) => console.log(direction === "sent", text.length),
});
new Connection("/ws", "realm1", { token: "abc", WebSocket });

const unsubscribe: () => void = connection.subscribe("com.example.a", ([text], { who }, { topic }) => console.log(text, who, topic), {
  match: "prefix",
});
unsubscribe();
const unregister = connection.register("com.example.add", ([a, b], kwargs, { progress, signal }) => {
  if (signal.aborted) throw new WampError("wamp.error.canceled", [], { kwargs });
  progress?.([1]);
  return new Result([a + b]);
});
unregister();

connection.addEventListener("change", () => {
  const { state } = connection;
  if (state.name === "online") console.log(state.session.details.authrole);
  else console.log(state.reason, state.message, state.retryAt);
});
connection.addEventListener("subscriptionerror", ({ topic, error }) => console.log(topic, error.uri));
connection.addEventListener("registrationerror", (event) => {
  event.preventDefault();
  console.log(event.procedure, event.error.kwargs);
});
connection.open();

const { args } = await connection.call("com.example.add", [1, 2], {}, { timeout: 1000, onProgress: (part) => part.args });
const publication: number | undefined = await connection.publish("com.example.a", args, {}, { acknowledge: true });
const session: Session = await Session.open("wss://example.com/ws", "realm1", { signal: AbortSignal.timeout(1000) });
const receipt = await session.subscribe("com.example.a", () => {});
await session.unsubscribe(receipt);
session.probe();
const { reason, byRouter } = await session.close();
await connection.close();
console.log(publication, reason, byRouter);

// @ts-expect-error: a session is open only while the state is online
connection.state.session.close();
// @ts-expect-error: sessions come from Session.open
new Session();
// @ts-expect-error: no such option
new Connection("/ws", "realm1", { heartbeat: 1 });
