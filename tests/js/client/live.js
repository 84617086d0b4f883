/**
 * `node live.js URL OPTIONS`: a Connection of the page's client to a real router. Each state and each answer to a
 * heartbeat is a line of JSON on stdout. Lines on stdin: `drop` breaks the connection, `close` closes it.
 *
 * OPTIONS has `headers` for the handshake and `tokens`, one for each session, besides the options of Connection.
 */

import { createInterface } from "node:readline";

import { WebSocket } from "ws";

import { loadClient } from "./load.js";

const { Connection } = await loadClient();
const [url, text] = process.argv.slice(2);
const { headers, tokens, ...options } = JSON.parse(text);
let socket;

class Browser extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols, { headers });
    socket = this;
  }
}

const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const connection = new Connection(url, "realm1", {
  ...options,
  ...(tokens ? { token: async () => tokens.shift() } : {}),
  WebSocket: Browser,
  onTraffic(direction, message) {
    const [code, request, , , uri] = JSON.parse(message);
    if (direction === "received" && code === 8 && request === 34) print({ heartbeat: uri });
  },
});
connection.addEventListener("change", () => {
  const { name, reason, message, session } = connection.state;
  const { authid, authrole, authmethod } = session?.details ?? {};
  print({ name, reason, message, authid, authrole, authmethod });
});
connection.open();

for await (const line of createInterface({ input: process.stdin })) {
  if (line === "drop") socket.terminate();
  else await connection.close();
}
process.exit(0);
