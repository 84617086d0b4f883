/** The demo page's own client, `static/demo/wamp.js`, behind the interface of `driver.js`. */

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
    subscribe: (topic, match, onEvent) =>
      ask(
        session.subscribe(topic, (args, kwargs, details) => onEvent(args, kwargs, details.topic), match ? { match } : {}),
      ),
    unsubscribe: (subscription) => ask(session.unsubscribe(subscription)),
    publish: (topic, args, kwargs) => ask(session.publish(topic, args, kwargs, { acknowledge: true })),
    register: (procedure, endpoint) =>
      ask(
        session.register(procedure, (args, kwargs) => {
          try {
            const answer = endpoint(args, kwargs);
            return new Result(answer.args, answer.kwargs);
          } catch (error) {
            throw new WampError(error.uri, error.args, error.kwargs);
          }
        }),
      ),
    unregister: (registration) => ask(session.unregister(registration)),
    call: (procedure, args, kwargs) => ask(session.call(procedure, args, kwargs)),
    close: async () => (await session.close()).reason,
  };
}
