/** Challenges that the page's client answers. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { advance, CODES, Router } from "./world.js";

/** A router that asks for authentication by a method. `signatures` are the answers that it received. */
function challenging(method, extra = {}) {
  const router = new Router();
  router.signatures = [];
  router.answers[CODES.HELLO] = (socket) => socket.deliver([CODES.CHALLENGE, method, extra]);
  router.answers[CODES.AUTHENTICATE] = (socket, [, signature, more]) => {
    router.signatures.push([signature, more]);
    socket.deliver([CODES.WELCOME, ++router.joins, {}]);
  };
  return router;
}

for (const method of ["token", "ticket"]) {
  test(`a token answers the method "${method}", and each connection asks for a new one`, async () => {
    const router = challenging(method);
    let count = 0;
    const connection = await router.online({ token: async () => `token ${++count}` });
    assert.equal(connection.state.name, "online");
    assert.deepEqual(router.last.received[0][2].authmethods, ["token", "ticket"]);
    router.last.drop();
    await advance(2_001);
    assert.equal(connection.state.name, "online");
    assert.deepEqual(router.signatures, [["token 1", {}], ["token 2", {}]]);
  });
}

test("a token may be a text, and offered after other methods", async () => {
  const router = challenging("token");
  await router.online({ token: "abc", authmethods: ["django-session", "token"] });
  assert.deepEqual(router.last.received[0][2].authmethods, ["django-session", "token"]);
  assert.deepEqual(router.signatures, [["abc", {}]]);
});

test("onChallenge answers any method, with an authid and details", async () => {
  const router = challenging("wampcra", { challenge: "42" });
  const options = { authmethods: ["wampcra"], authid: "joe", authextra: { a: 1 } };
  const onChallenge = (method, { challenge }) => `${method} ${challenge}`;
  await router.online({ ...options, onChallenge });
  const [, , { authmethods, authid, authextra }] = router.last.received[0];
  assert.deepEqual({ authmethods, authid, authextra }, options);
  await router.online({ onChallenge: async () => ({ signature: "s", extra: { nonce: 1 } }) });
  assert.deepEqual(router.signatures, [["wampcra 42", {}], ["s", { nonce: 1 }]]);
});

test("a token that cannot be fetched is asked for again later", async () => {
  const router = challenging("token");
  let isUp = false;
  const token = async () => {
    if (isUp) return "abc";
    throw new TypeError("Failed to fetch");
  };
  const connection = await router.online({ token });
  assert.deepEqual([connection.state.name, connection.state.message], ["waiting", "Failed to fetch"]);
  assert.deepEqual(router.last.received.at(-1), [CODES.ABORT, {}, "wamp.error.cannot_authenticate"]);
  isUp = true;
  await advance(2_001);
  assert.equal(connection.state.name, "online");
});

test("a token that never comes counts to the time for opening", async () => {
  const router = challenging("token");
  const connection = await router.online({ token: () => new Promise(() => {}) });
  await advance(10_000);
  assert.equal(connection.state.name, "waiting");
});

test("a token that comes after the end of its connection is not sent", async () => {
  const router = challenging("token");
  let give;
  const connection = await router.online({ token: () => new Promise((resolve) => (give = resolve)) });
  await connection.close();
  give("late");
  await advance(10);
  assert.deepEqual(router.signatures, []);
});

test("a challenge without an answer ends the attempts", async () => {
  for (const options of [{}, { token: () => null }, { onChallenge: () => undefined }]) {
    const router = challenging("token");
    const connection = await router.online(options);
    await advance(600_000);
    assert.deepEqual([connection.state.name, connection.state.reason], ["offline", "wamp.error.cannot_authenticate"]);
    assert.equal(router.sockets.length, 1);
  }
});
