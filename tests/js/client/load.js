/** Imports the page's client in Node.js. */

import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const SOURCES = new URL("../../../wamp_transport/static/wamp_transport/", import.meta.url);

/** The directory has no package.json that says that its files are modules, so a copy gets one. */
export async function loadClient() {
  const directory = await mkdtemp(join(tmpdir(), "wampnode-"));
  try {
    for (const name of ["wamp.js", "connection.js"]) await copyFile(new URL(name, SOURCES), join(directory, name));
    await writeFile(join(directory, "package.json"), '{"type": "module"}');
    const load = (name) => import(pathToFileURL(join(directory, name)));
    return { ...(await load("wamp.js")), ...(await load("connection.js")) };
  } finally {
    await rm(directory, { recursive: true });
  }
}
