/** `close()` of the page's client in each state, and sessions that the router ends. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { advance, CODES, outcome, Router, settle } from "./world.js";

/** Reach a state; each returns the connection and its router. */
const STATES = {
  offline: async () => {
    const router = new Router();
    return [router.connection(), router];
  },
  "connecting, without an answer": async () => {
    const router = new Router();
    router.isSilent = true;
    const connection = router.connection();
    connection.open();
    await advance(5);
    return [connection, router];
  },
  "connecting, just begun": async () => {
    const router = new Router();
    const connection = router.connection();
    connection.open();
    return [connection, router];
  },
  "connecting, while a token is fetched": async () => {
    const router = new Router();
    router.answers[CODES.HELLO] = (socket) => socket.deliver([CODES.CHALLENGE, "token", {}]);
    const connection = router.connection({ token: () => new Promise(() => {}) });
    connection.open();
    await advance(5);
    return [connection, router];
  },
  online: async () => {
    const router = new Router();
    return [await router.online(), router];
  },
  "online, with a silent router": async () => {
    const router = new Router();
    const connection = await router.online();
    router.isSilent = true;
    return [connection, router];
  },
  waiting: async () => {
    const router = new Router();
    router.isUp = false;
    const connection = await router.online();
    assert.equal(connection.state.name, "waiting");
    return [connection, router];
  },
};

for (const [state, reach] of Object.entries(STATES)) {
  test(`close() while ${state}: offline, and it stays so`, async () => {
    const [connection, router] = await reach();
    const closing = outcome(connection.close());
    assert.equal(connection.state.name, "offline");
    await advance(6_000);
    assert.ok("value" in closing);
    await advance(200_000);
    assert.equal(connection.state.name, "offline");
    assert.ok(router.sockets.every(({ isClosed }) => isClosed));
    assert.ok(router.sockets.length <= 1);
  });

  test(`open() directly after close() while ${state}`, async () => {
    const [connection, router] = await reach();
    connection.close();
    connection.open();
    router.isUp = true;
    router.isSilent = false;
    router.answers[CODES.HELLO] = (socket) => socket.deliver([CODES.WELCOME, 77, {}]);
    await advance(6_000);
    assert.equal(connection.state.name, "online");
    assert.equal(router.sockets.filter(({ isClosed }) => !isClosed).length, 1);
  });
}

test("close() in a listener for changes", async () => {
  const router = new Router();
  const connection = router.connection();
  connection.addEventListener("change", () => connection.state.name === "connecting" && connection.close());
  connection.open();
  await advance(30_000);
  assert.equal(connection.state.name, "offline");
  assert.equal(router.joins, 0);
});

test("close() says GOODBYE", async () => {
  const router = new Router();
  const connection = await router.online();
  await connection.close();
  assert.deepEqual(router.last.received.at(-1), [CODES.GOODBYE, {}, "wamp.close.normal"]);
});

for (const reason of ["wamp.close.logout", "wamp.close.close_realm", "wamp.error.no_such_role"]) {
  test(`after ${reason} the client tries again once, then slowly`, async () => {
    const router = new Router();
    const connection = await router.online();
    router.last.deliver([CODES.GOODBYE, { message: "changed" }, reason]);
    await settle();
    assert.deepEqual([connection.state.name, connection.state.message], ["waiting", "changed"]);
    await advance(reason === "wamp.close.logout" ? 2 : 2_001);
    assert.equal(connection.state.name, "online");
    router.last.deliver([CODES.GOODBYE, {}, reason]);
    await advance(29_000);
    assert.equal(connection.state.name, "waiting");
    assert.equal(router.joins, 2);
    await advance(32_000);
    assert.equal(connection.state.name, "online");
    assert.equal(router.joins, 3);
    await advance(11_000); // healthy: the next time begins anew
    router.last.deliver([CODES.GOODBYE, {}, reason]);
    await advance(2_001);
    assert.equal(router.joins, 4);
  });

  test(`after ${reason} a router that refuses is asked again slowly until it does not`, async () => {
    const router = new Router();
    const connection = await router.online();
    const welcome = router.answers[CODES.HELLO];
    router.answers[CODES.HELLO] = (socket) => socket.deliver([CODES.ABORT, {}, "wamp.error.no_such_realm"]);
    router.last.deliver([CODES.GOODBYE, {}, reason]);
    await advance(3_000);
    assert.equal(connection.state.name, "waiting");
    assert.equal(router.sockets.length, 2);
    await advance(600_000);
    assert.equal(connection.state.name, "waiting");
    const attempts = router.sockets.length - 2;
    assert.ok(attempts >= 10 && attempts <= 20, `${attempts} attempts in 600 s`);
    router.answers[CODES.HELLO] = welcome;
    await advance(61_000);
    assert.equal(connection.state.name, "online");
  });
}

for (const refusal of ["wamp.error.no_such_realm", "wamp.error.no_such_role", "wamp.error.not_authorized"]) {
  test(`a page that was online and finds ${refusal} after its server restarted comes back`, async () => {
    const router = new Router();
    const connection = await router.online();
    const welcome = router.answers[CODES.HELLO];
    router.answers[CODES.HELLO] = (socket) => socket.deliver([CODES.ABORT, {}, refusal]);
    router.last.drop();
    await advance(300_000);
    assert.equal(connection.state.name, "waiting");
    const attempts = router.sockets.length - 1;
    assert.ok(attempts >= 5 && attempts <= 11, `${attempts} attempts in 300 s`);
    router.answers[CODES.HELLO] = welcome;
    await advance(61_000);
    assert.equal(connection.state.name, "online");
  });
}

test("a page whose service is removed comes back with the service", async () => {
  const router = new Router();
  const connection = await router.online();
  router.isUp = false; // the path answers 404: the handshake fails, as without a server
  router.last.deliver([CODES.GOODBYE, { message: "the service at /ws was removed" }, "wamp.close.close_realm"]);
  await advance(600_000);
  assert.equal(connection.state.name, "waiting");
  router.isUp = true;
  await advance(20_001);
  assert.equal(connection.state.name, "online");
});

for (const reason of ["wamp.close.killed", "com.example.banned"]) {
  test(`a session that was ended with ${reason} is not opened again`, async () => {
    const router = new Router();
    const connection = await router.online();
    router.last.deliver([CODES.GOODBYE, { message: "no more" }, reason]);
    await advance(600_000);
    assert.deepEqual([connection.state.name, connection.state.reason], ["offline", reason]);
    assert.equal(router.sockets.length, 1);
  });
}

test("a realm that does not exist is not asked for again", async () => {
  const router = new Router();
  router.answers[CODES.HELLO] = (socket) => socket.deliver([CODES.ABORT, {}, "wamp.error.no_such_realm"]);
  const connection = await router.online();
  await advance(600_000);
  assert.equal(connection.state.name, "offline");
  assert.equal(router.sockets.length, 1);
});

test("an invocation's signal is aborted when the session ends", async () => {
  const router = new Router();
  const connection = router.connection();
  let signal;
  connection.register("com.example.long", (args, kwargs, details) => {
    ({ signal } = details);
    return new Promise(() => {});
  });
  connection.open();
  await advance(5);
  router.last.deliver([CODES.INVOCATION, 9, 1, {}]);
  assert.equal(signal.aborted, false);
  router.last.drop();
  assert.equal(signal.aborted, true);
});
