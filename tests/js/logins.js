/** `node logins.js LIBRARY`: logs in as each line of stdin says, and answers with a line on how that ended. */

import { createInterface } from "node:readline";

import { WebSocket } from "ws";

const hex = (bytes) => Buffer.from(bytes).toString("hex");

async function autobahn() {
  const library = (await import("autobahn")).default;
  const keys = (secret) => library.nacl.sign.keyPair.fromSeed(Buffer.from(secret, "hex"));
  const answers = {
    ticket: (secret) => secret,
    wampcra: (secret, { challenge, salt, iterations, keylen }) =>
      library.auth_cra.sign(salt ? library.auth_cra.derive_key(secret, salt, iterations, keylen) : secret, challenge),
    cryptosign: (secret, extra) => library.auth_cryptosign.sign_challenge(keys(secret), extra),
  };
  return ({ url, realm, method, authid, secret }) =>
    new Promise((resolve) => {
      const connection = new library.Connection({
        url,
        realm,
        authmethods: [method],
        authid,
        authextra: method === "cryptosign" ? { pubkey: hex(keys(secret).publicKey), channel_binding: null } : {},
        onchallenge: (session, method, extra) => answers[method](secret, extra),
        max_retries: 0,
      });
      connection.onopen = (session, details) => {
        resolve(details);
        connection.close();
      };
      connection.onclose = (reason, details) => {
        resolve({ reason: details.reason, message: details.message });
        return true;
      };
      connection.open();
    });
}

async function wampy() {
  const { Wampy } = await import("wampy");
  const cra = await import("wampy/wampcra.js");
  const cryptosign = await import("wampy/cryptosign.js");
  const { default: nacl } = await import("tweetnacl");
  const plugins = { ticket: (secret) => () => secret, wampcra: cra.sign, cryptosign: cryptosign.sign };
  const { JsonSerializer } = await import("wampy/JsonSerializer.js");
  return async ({ url, realm, method, authid, secret }) => {
    const serializer = new JsonSerializer();
    const decode = serializer.decode.bind(serializer);
    const seen = {};
    serializer.decode = (data) => {
      const message = decode(data);
      if (message[0] === 2) Object.assign(seen, message[2]);
      if (message[0] === 3) Object.assign(seen, { reason: message[2], message: message[1].message });
      return message;
    };
    const publicKey = () => hex(nacl.sign.keyPair.fromSeed(Buffer.from(secret, "hex")).publicKey);
    const client = new Wampy(url, {
      realm,
      ws: WebSocket,
      serializer,
      autoReconnect: false,
      authid,
      authmethods: [method],
      authextra: method === "cryptosign" ? { pubkey: publicKey() } : {},
      onChallenge: plugins[method](secret),
    });
    try {
      await client.connect();
      await client.disconnect();
    } catch (error) {
      if (!seen.reason) throw error;
    }
    return seen;
  };
}

const login = await { "autobahn-js": autobahn, wampy }[process.argv[2]]();
for await (const line of createInterface({ input: process.stdin })) {
  const { authid, authrole, authmethod, reason, message } = await login(JSON.parse(line));
  process.stdout.write(JSON.stringify({ authid, authrole, authmethod, reason, message }) + "\n");
}
process.exit(0);
