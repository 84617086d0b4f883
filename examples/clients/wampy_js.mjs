// wampy.js with MessagePack: register and call a procedure, subscribe to a topic and publish an event.
import { Wampy } from "wampy";
import { MsgpackSerializer } from "wampy/MsgpackSerializer.js";
import { WebSocket } from "ws"; // not needed in a browser

const wampy = new Wampy(process.argv[2], { realm: "realm1", ws: WebSocket, serializer: new MsgpackSerializer() });
await wampy.connect();
await wampy.register("com.example.add", ({ argsList: [a, b] }) => ({ argsList: [a + b] }));
await wampy.subscribe("com.example.news", ({ argsList: [text] }) => console.log("news:", text));
const result = await wampy.call("com.example.add", [2, 3]);
console.log("sum:", result.argsList[0]);
await wampy.publish("com.example.news", ["hello"]);
await wampy.disconnect();
