/** Autobahn|JS behind the interface of `driver.js`. */

import { ApplicationError } from "../driver.js";

export const name = "autobahn-js";

/** Autobahn gives a single positional result bare, and wraps everything else. */
function unpack(autobahn, result) {
  if (result instanceof autobahn.Result) return { args: result.args, kwargs: result.kwargs };
  return { args: result === null ? [] : [result], kwargs: {} };
}

function open(autobahn, { url, realm, serializer }) {
  const Serializer = { json: "JSONSerializer", msgpack: "MsgpackSerializer", cbor: "CBORSerializer" }[serializer];
  const connection = new autobahn.Connection({
    realm,
    transports: [{ type: "websocket", url, serializers: [new autobahn.serializer[Serializer]()] }],
    max_retries: 0,
    retry_if_unreachable: false,
    on_user_error: () => {}, // it would print each error that a procedure answers with
  });
  const closed = new Promise((resolve) => {
    connection.onclose = (reason, details) => {
      resolve(details.reason ?? reason);
      return true; // do not reconnect
    };
  });
  return new Promise((resolve, reject) => {
    connection.onopen = (session) => resolve({ connection, session, closed });
    closed.then((reason) => reject(new ApplicationError(reason)));
    connection.open();
  });
}

export async function connect(autobahn, options) {
  const { connection, session, closed } = await open(autobahn, options);
  const ask = async (promise) => {
    try {
      return await promise;
    } catch (error) {
      throw error instanceof autobahn.Error ? new ApplicationError(error.error, error.args, error.kwargs) : error;
    }
  };
  const call = (procedure, args, kwargs, options = {}, onProgress) => {
    const wanted = onProgress ? { ...options, receive_progress: true } : options;
    const promise = session.call(procedure, args, kwargs, wanted);
    const notify = (part) => onProgress(unpack(autobahn, part).args);
    const followed = onProgress ? promise.then((value) => value, undefined, notify) : promise;
    const result = ask(followed).then((value) => unpack(autobahn, value));
    return { result, cancel: (how) => promise.cancel(how) };
  };
  return {
    sessionId: session.id,
    subscribe: (topic, options, onEvent) =>
      ask(session.subscribe(topic, (args, kwargs, details) => onEvent(args, kwargs, details), options)),
    unsubscribe: (subscription) => ask(session.unsubscribe(subscription)),
    publish: (topic, args, kwargs, options) => ask(session.publish(topic, args, kwargs, options)),
    register: (procedure, endpoint, options) =>
      ask(
        session.register(
          procedure,
          async (args, kwargs, details) => {
            try {
              const answer = await endpoint(args, kwargs, details);
              return new autobahn.Result(answer.args, answer.kwargs);
            } catch (error) {
              throw new autobahn.Error(error.uri, error.args, error.kwargs);
            }
          },
          options,
        ),
      ),
    unregister: (registration) => ask(session.unregister(registration)),
    call,
    close: () => {
      connection.close();
      return closed;
    },
  };
}
