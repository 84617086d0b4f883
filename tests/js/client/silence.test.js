/** The page's client with a router that does not answer. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { advance, clock, CODES, installPage, outcome, Router, settle, setVisibility } from "./world.js";

const page = installPage();
const firePageEvent = (name) => page.dispatchEvent(new Event(name));

test("a router that never answers HELLO is given up after 10 s", async () => {
  const router = new Router();
  router.isSilent = true;
  const connection = router.connection();
  connection.open();
  await advance(9_990);
  assert.equal(connection.state.name, "connecting");
  await advance(10);
  assert.equal(connection.state.name, "waiting");
  assert.equal(connection.state.reason, "wamp.close.transport_lost");
  assert.equal(router.last.isClosed, true);
  router.isSilent = false;
  await advance(2_000);
  assert.equal(connection.state.name, "online");
});

test("a network that never opens the connection is given up after 10 s", async () => {
  const router = new Router();
  class Stuck extends router.WebSocket {
    set onopen(action) {}
  }
  const connection = router.connection({ WebSocket: Stuck });
  connection.open();
  await advance(9_990);
  assert.deepEqual(connection.states, ["connecting"]);
  await advance(10); // not longer: the delay of the next attempt is random, and may be short
  assert.deepEqual(connection.states, ["connecting", "waiting"]);
});

test("the limit for opening is an option", async () => {
  const router = new Router();
  router.isSilent = true;
  const connection = router.connection({ openTimeout: 3_000 });
  connection.open();
  await advance(2_990);
  assert.deepEqual(connection.states, ["connecting"]);
  await advance(10);
  assert.deepEqual(connection.states, ["connecting", "waiting"]);
});

test("a heartbeat is sent when nothing came for 20 s, and its answer keeps the session", async () => {
  const router = new Router();
  const connection = await router.online();
  await advance(19_900);
  assert.equal(router.last.count(CODES.UNSUBSCRIBE), 0);
  await advance(200);
  assert.equal(router.last.count(CODES.UNSUBSCRIBE), 1);
  await advance(100_000);
  assert.equal(router.last.count(CODES.UNSUBSCRIBE), 6);
  assert.deepEqual(connection.states, ["connecting", "online"]);
});

test("any message delays the heartbeat", async () => {
  const router = new Router();
  await router.online();
  for (let turn = 0; turn < 10; turn++) {
    await advance(15_000);
    router.last.deliver([36, 1, 1, {}]);
  }
  assert.equal(router.last.count(CODES.UNSUBSCRIBE), 0);
});

test("the heartbeat names no subscription that the session has", async () => {
  const router = new Router();
  const connection = router.connection();
  connection.subscribe("com.example.topic", () => {});
  connection.open();
  await advance(20_100);
  const [, , id] = router.last.received.find(([code]) => code === CODES.UNSUBSCRIBE);
  assert.ok(Number.isSafeInteger(id) && id > 1_000_000);
});

test("a session whose router falls silent ends after 30 s, and the next one follows", async () => {
  const router = new Router();
  const connection = await router.online({ callTimeout: 0 });
  router.isSilent = true;
  const call = outcome(connection.call("com.example.slow"));
  await advance(29_900);
  assert.equal(connection.state.name, "online");
  await advance(200);
  assert.equal(connection.state.name, "waiting");
  assert.equal(call.error.uri, "wamp.close.transport_lost");
  router.isSilent = false;
  await advance(2_000);
  assert.equal(connection.state.name, "online");
  assert.equal(router.joins, 2);
});

test("the heartbeat can be set and switched off", async () => {
  const router = new Router();
  await router.online({ heartbeatInterval: 1_000 });
  await advance(1_100);
  assert.equal(router.last.count(CODES.UNSUBSCRIBE), 1);
  await router.online({ heartbeatInterval: 0 });
  await advance(100_000);
  assert.equal(router.last.count(CODES.UNSUBSCRIBE), 0);
});

test("a clock that is set back does not stop the heartbeat", async () => {
  const router = new Router();
  const now = Date.now;
  await router.online();
  Date.now = () => clock.now - 3_600_000;
  await advance(20_100);
  await advance(20_100);
  Date.now = now;
  assert.ok(router.last.count(CODES.UNSUBSCRIBE) >= 1);
});

for (const [name, fire] of Object.entries({
  online: () => firePageEvent("online"),
  pageshow: () => firePageEvent("pageshow"),
  visible: () => setVisibility("visible"),
})) {
  test(`the router is probed on "${name}"`, async () => {
    const router = new Router();
    const connection = await router.online();
    fire();
    fire();
    await advance(10);
    assert.equal(router.last.count(CODES.UNSUBSCRIBE), 1);
    router.isSilent = true;
    fire();
    await advance(10_010);
    assert.equal(connection.state.name, "waiting");
    await connection.close();
    fire();
    await advance(1);
    assert.equal(connection.state.name, "offline");
  });

  test(`"${name}" ends the wait for the next attempt`, async (context) => {
    context.mock.method(Math, "random", () => 0.99);
    const router = new Router();
    const connection = await router.online();
    router.last.drop();
    await settle();
    assert.equal(connection.state.name, "waiting");
    fire();
    await advance(1);
    assert.equal(connection.state.name, "online");
    assert.equal(router.joins, 2);
    await connection.close();
  });
}

test("a page that is hidden is not probed", async () => {
  const router = new Router();
  await router.online();
  setVisibility("hidden");
  await advance(10);
  setVisibility("visible");
  await advance(10);
  assert.equal(router.last.count(CODES.UNSUBSCRIBE), 1);
});

test("a call without an answer fails after 30 s and is canceled", async () => {
  const router = new Router();
  const connection = await router.online();
  const call = outcome(connection.call("com.example.stuck"));
  await advance(29_900);
  assert.deepEqual(call, {});
  await advance(200);
  assert.equal(call.error.uri, "wamp.error.timeout");
  assert.deepEqual(router.last.received.at(-1), [CODES.CANCEL, 1, { mode: "killnowait" }]);
  router.last.deliver([CODES.RESULT, 1, {}, [5]]); // came too late
  assert.equal(connection.state.name, "online");
});

test("the limit of calls is an option of the connection and of each call", async () => {
  const router = new Router();
  const connection = await router.online({ callTimeout: 5_000 });
  const calls = [undefined, 1_000, 0, 60_000].map((timeout) => outcome(connection.call("com.example.x", [], {}, { timeout })));
  const failed = () => calls.map(({ error }) => error?.uri === "wamp.error.timeout");
  await advance(1_100);
  assert.deepEqual(failed(), [false, true, false, false]);
  await advance(4_000);
  assert.deepEqual(failed(), [true, true, false, false]);
  await advance(100_000);
  assert.deepEqual(failed(), [true, true, false, true]);
});

test("each progressive result gives a call new time", async () => {
  const router = new Router();
  const connection = await router.online();
  const parts = [];
  const call = outcome(connection.call("com.example.long", [], {}, { onProgress: ({ args }) => parts.push(...args) }));
  for (const part of [1, 2, 3]) {
    await advance(25_000);
    router.last.deliver([CODES.RESULT, 1, { progress: true }, [part]]);
  }
  assert.deepEqual(call, {});
  router.last.deliver([CODES.RESULT, 1, {}, [4]]);
  await advance(1);
  assert.deepEqual([parts, call.value.args], [[1, 2, 3], [4]]);
});
