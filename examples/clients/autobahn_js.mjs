// Autobahn|JS: register and call a procedure, subscribe to a topic and publish an event.
import autobahn from "autobahn";

const connection = new autobahn.Connection({ url: process.argv[2], realm: "realm1" });
connection.onopen = async (session) => {
  await session.register("com.example.add", ([a, b]) => a + b);
  await session.subscribe("com.example.news", ([text]) => console.log("news:", text));
  console.log("sum:", await session.call("com.example.add", [2, 3]));
  await session.publish("com.example.news", ["hello"], {}, { acknowledge: true });
  connection.close();
};
connection.open();
