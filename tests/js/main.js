/** `node main.js LIBRARY`: any number of clients in a process; commands on stdin, answers on stdout, one JSON a line. */

import { createInterface } from "node:readline";

import { WebSocket } from "ws";

import { loadClient } from "./client/load.js";
import { Driver } from "./driver.js";

const LIBRARIES = {
  demo: async () => ["demo", await loadClient(), { WebSocket }],
  "autobahn-js": async () => ["autobahn", (await import("autobahn")).default, {}],
  wampy: async () => {
    const { Wampy } = await import("wampy");
    const { JsonSerializer } = await import("wampy/JsonSerializer.js");
    const { MsgpackSerializer } = await import("wampy/MsgpackSerializer.js");
    const { CborSerializer } = await import("wampy/CborSerializer.js");
    const serializers = { json: JsonSerializer, msgpack: MsgpackSerializer, cbor: CborSerializer };
    return ["wampy", { Wampy, serializers }, { WebSocket }];
  },
};

const [adapterName, library, environment] = await LIBRARIES[process.argv[2]]();
const adapter = await import(`./adapters/${adapterName}.js`);
const drivers = new Map();

/** The driver of a client, made when it is first told something. */
function driverOf(client) {
  if (!drivers.has(client)) drivers.set(client, new Driver(adapter, library, environment, writerOf(client)));
  return drivers.get(client);
}

const writerOf = (client) => (message) => process.stdout.write(`${JSON.stringify({ client, ...message })}\n`);

for await (const line of createInterface({ input: process.stdin })) {
  const { client, ...command } = JSON.parse(line);
  driverOf(client).handle(command).then(writerOf(client)); // what is rejected ends the process, with a traceback
}
process.exit(0);
