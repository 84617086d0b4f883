/** How the page's client comes back, and what it brings back. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { advance, clock, CODES, Router, settle } from "./world.js";

test("the first delay is anything from 0 to 2 s, and the following ones grow to 20 s", async (context) => {
  let random = 0;
  context.mock.method(Math, "random", () => random);
  const router = new Router();
  const connection = await router.online();
  router.last.drop();
  await settle();
  assert.equal(connection.state.retryAt, clock.now);
  await advance(2);
  random = 1;
  router.isUp = false;
  router.last.drop();
  await settle();
  const delays = [];
  for (let failure = 0; failure < 6; failure++) {
    const delay = connection.state.retryAt - clock.now;
    delays.push(delay);
    await advance(delay + 1);
  }
  assert.deepEqual(delays.map((delay) => Math.round(delay / 1000)), [4, 8, 16, 20, 20, 20]);
});

test("attempts are forgotten after 10 s of health alone", async (context) => {
  context.mock.method(Math, "random", () => 1);
  const router = new Router();
  const connection = await router.online();
  const delays = [];
  for (const health of [500, 500, 9_500, 10_500, 500]) {
    await advance(health);
    router.last.drop();
    await settle();
    const delay = connection.state.retryAt - clock.now;
    delays.push(Math.round(delay / 1000));
    await advance(delay + 1);
    assert.equal(connection.state.name, "online");
  }
  assert.deepEqual(delays, [2, 4, 8, 2, 4]);
});

test("a registration is renewed in each session until it is withdrawn", async () => {
  const router = new Router();
  const connection = router.connection();
  const unregister = connection.register("com.example.add", ([a, b]) => a + b, { invoke: "random" });
  connection.open();
  for (let session = 1; session <= 2; session++) {
    await advance(2_001);
    assert.deepEqual(router.last.received[1], [CODES.REGISTER, 1, { invoke: "random" }, "com.example.add"]);
    router.last.deliver([CODES.INVOCATION, 5, 1, {}, [2, 3]]);
    await advance(1);
    assert.deepEqual(router.last.received.at(-1), [CODES.YIELD, 5, {}, [5]]);
    if (session === 1) router.last.drop();
  }
  unregister();
  await advance(1);
  assert.deepEqual(router.last.received.at(-1), [CODES.UNREGISTER, 2, 1]);
  router.last.drop();
  await advance(4_001); // the second failure in a row
  assert.equal(connection.state.name, "online");
  assert.equal(router.last.count(CODES.REGISTER), 0);
});

test("a registration while online, and one that is withdrawn before the router has answered", async () => {
  const router = new Router();
  const connection = await router.online();
  connection.register("com.example.one", () => 1)();
  connection.register("com.example.two", () => 2);
  await advance(1);
  assert.equal(router.last.count(CODES.REGISTER), 2);
  assert.equal(router.last.count(CODES.UNREGISTER), 1);
});

test("a registration that fails fires an event", async (context) => {
  const errors = context.mock.method(console, "error", () => {});
  const router = new Router();
  router.answers[CODES.REGISTER] = (socket, [, id]) => socket.deliver([8, 64, id, {}, "wamp.error.not_authorized"]);
  const connection = router.connection();
  const failed = [];
  connection.addEventListener("registrationerror", (event) => {
    failed.push([event.procedure, event.error.uri]);
    event.preventDefault();
  });
  connection.register("com.example.add", () => {});
  connection.open();
  await advance(60_000);
  assert.deepEqual(failed, [["com.example.add", "wamp.error.not_authorized"]]);
  assert.equal(errors.mock.callCount(), 0);
});

test("a registration that the router still has for our lost session is tried again", async () => {
  const router = new Router();
  const connection = router.connection();
  connection.addEventListener("registrationerror", (event) => event.preventDefault());
  connection.register("com.example.add", () => {});
  connection.open();
  await advance(10);
  const registered = router.answers[CODES.REGISTER];
  router.answers[CODES.REGISTER] = (socket, [, id]) =>
    socket.deliver([8, 64, id, {}, "wamp.error.procedure_already_exists"]);
  router.last.drop();
  await advance(2_001);
  assert.equal(router.last.count(CODES.REGISTER), 1);
  router.answers[CODES.REGISTER] = registered;
  await advance(10_001);
  assert.equal(router.last.count(CODES.REGISTER), 2);
  await advance(60_000);
  assert.equal(router.last.count(CODES.REGISTER), 2);
});
