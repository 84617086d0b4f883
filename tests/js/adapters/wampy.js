/** wampy.js behind the interface of `driver.js`. */

import { ApplicationError } from "../driver.js";

export const name = "wampy";

const ABORT = 3;
const GOODBYE = 6;

/** wampy keeps the reason of a GOODBYE to itself: a serializer that looks at what passes tells it. */
function listening(serializer, ending) {
  const decode = serializer.decode.bind(serializer);
  serializer.decode = (data) => {
    const message = decode(data);
    if ([ABORT, GOODBYE].includes(message[0])) ending.reason = message[2];
    return message;
  };
  return serializer;
}

/** `library` has `Wampy` and, by subprotocol, the `serializers`. */
export async function connect({ Wampy, serializers }, { url, realm, serializer, WebSocket }) {
  const ending = { reason: null };
  const wampy = new Wampy(url, {
    realm,
    ws: WebSocket ?? null,
    serializer: listening(new serializers[serializer](), ending),
    autoReconnect: false,
  });
  const ask = async (promise) => {
    try {
      return await promise;
    } catch (error) {
      if (error.errorUri) throw new ApplicationError(error.errorUri, error.argsList, error.argsDict);
      throw error;
    }
  };
  await ask(wampy.connect());
  return {
    sessionId: wampy.getSessionId(),
    subscribe: (topic, match, onEvent) =>
      ask(
        wampy.subscribe(
          topic,
          ({ argsList, argsDict, details }) => onEvent(argsList, argsDict, details.topic ?? topic),
          match ? { match } : undefined,
        ),
      ),
    unsubscribe: (subscription) => ask(wampy.unsubscribe(subscription.subscriptionKey)),
    publish: (topic, argsList, argsDict) => ask(wampy.publish(topic, { argsList, argsDict })),
    register: (procedure, endpoint) =>
      ask(
        wampy.register(procedure, ({ argsList, argsDict }) => {
          try {
            const { args, kwargs } = endpoint(argsList ?? [], argsDict ?? {});
            return { argsList: args, argsDict: kwargs };
          } catch (error) {
            throw { error: error.uri, argsList: error.args, argsDict: error.kwargs };
          }
        }),
      ),
    unregister: (registration) => ask(wampy.unregister(registration.topic)),
    call: async (procedure, argsList, argsDict) => {
      const result = await ask(wampy.call(procedure, { argsList, argsDict }));
      return { args: result.argsList, kwargs: result.argsDict };
    },
    close: async () => {
      await wampy.disconnect();
      return ending.reason;
    },
  };
}
