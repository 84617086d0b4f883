/** The client for pages that comes with the app, `wamp.js`, behind the interface of `driver.js`. */

import { ApplicationError } from "../driver.js";

export const name = "demo";

/** `library` is the module itself: its address differs between Node.js and a page. */
export async function connect(library, { url, realm, WebSocket }) {
  const { Result, Session, WampError } = library;
  const translate = (error) =>
    error instanceof WampError ? new ApplicationError(error.uri, error.args, error.kwargs) : error;
  const ask = async (promise) => {
    try {
      return await promise;
    } catch (error) {
      throw translate(error);
    }
  };
  const session = await ask(Session.open(url, realm, { WebSocket }));
  return {
    sessionId: session.id,
    subscribe: (topic, options, onEvent) => ask(session.subscribe(topic, onEvent, options)),
    unsubscribe: (subscription) => ask(session.unsubscribe(subscription)),
    publish: (topic, args, kwargs, options) => ask(session.publish(topic, args, kwargs, options)),
    register: (procedure, endpoint, options) =>
      ask(
        session.register(
          procedure,
          async (args, kwargs, details) => {
            try {
              const answer = await endpoint(args, kwargs, details);
              return new Result(answer.args, answer.kwargs);
            } catch (error) {
              throw new WampError(error.uri, error.args, error.kwargs);
            }
          },
          options,
        ),
      ),
    unregister: (registration) => ask(session.unregister(registration)),
    call: (procedure, args, kwargs, options, onProgress) => {
      const canceling = new AbortController();
      const followed = onProgress ? { onProgress: (part) => onProgress(part.args) } : {};
      const wanted = { ...options, ...followed, signal: canceling.signal };
      const result = ask(session.call(procedure, args, kwargs, wanted));
      return { result, cancel: ({ mode }) => canceling.abort(mode) };
    },
    close: async () => (await session.close()).reason,
  };
}
