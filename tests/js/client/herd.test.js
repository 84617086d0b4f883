/** Many pages whose server restarts: they must not come back at the same time. Seconds of work. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { advance, clock, CODES, Router, seeded } from "./world.js";


for (const [count, downtime] of [[10_000, 200], [2_000, 2_000], [2_000, 10_000], [2_000, 60_000]]) {
  test(`${count} pages come back spread after ${downtime / 1000} s without a server`, async (context) => {
    context.mock.method(Math, "random", seeded(downtime));
    const router = new Router();
    const pages = [];
    for (let page = 0; page < count; page++) {
      pages.push(router.connection());
      pages.at(-1).open();
    }
    await advance(60);
    const joined = new Map(); // tenth of a second -> sessions
    router.answers[CODES.HELLO] = (socket) => {
      const slot = Math.floor(clock.now / 100);
      joined.set(slot, (joined.get(slot) ?? 0) + 1);
      socket.deliver([CODES.WELCOME, 1, {}]);
    };
    const { sockets } = router;
    router.sockets = [];
    router.isUp = false;
    await advance(11_000); // healthy sessions
    const lost = clock.now;
    for (const socket of sockets) socket.drop();
    await advance(downtime);
    router.isUp = true;
    await advance(25_000);
    assert.ok(pages.every(({ state }) => state.name === "online"));
    const busiest = Math.max(...joined.values());
    const attempts = (router.sockets.length / count).toFixed(1);
    context.diagnostic(`busiest 100 ms: ${busiest} of ${count}; attempts of each: ${attempts}; ${clock.now - lost} ms in all`);
    assert.ok(busiest < 0.07 * count, `${busiest} pages in 100 ms`);
    for (const page of pages) page.close();
  });
}
