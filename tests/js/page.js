/** In a page: `window.wampTest.start(library)` gives a driver; what it reports is collected in `reports`. */

import * as autobahnAdapter from "./adapters/autobahn.js";
import * as demoAdapter from "./adapters/demo.js";
import * as wampyAdapter from "./adapters/wampy.js";
import { Driver } from "./driver.js";

const LIBRARIES = {
  demo: async () => [demoAdapter, await import("/static/wamp_transport/wamp.js")],
  "autobahn-js": async () => [autobahnAdapter, globalThis.autobahn],
  wampy: async () => {
    const { Wampy, JsonSerializer, MsgpackSerializer } = globalThis;
    return [wampyAdapter, { Wampy, serializers: { json: JsonSerializer, msgpack: MsgpackSerializer } }];
  },
};

const reports = [];

globalThis.wampTest = {
  reports,
  async start(library) {
    const [adapter, loaded] = await LIBRARIES[library]();
    globalThis.wampTest.driver = new Driver(adapter, loaded, {}, (report) => reports.push(report));
  },
};
