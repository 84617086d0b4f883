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

/** wampy cannot unsubscribe from what was subscribed to with options, even empty ones. */
const given = (options) => (Object.keys(options).length ? options : undefined);

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
    subscribe: (topic, options, onEvent) =>
      ask(wampy.subscribe(topic, ({ argsList, argsDict, details }) => onEvent(argsList, argsDict, details), given(options))),
    unsubscribe: (subscription) => ask(wampy.unsubscribe(subscription.subscriptionKey)),
    publish: (topic, argsList, argsDict, options) => ask(wampy.publish(topic, { argsList, argsDict }, options)),
    register: (procedure, endpoint, options) =>
      ask(
        wampy.register(
          procedure,
          async ({ details, argsList, argsDict, result_handler }) => {
            const progress = (args) => result_handler({ argsList: args, options: { progress: true } });
            try {
              const { args, kwargs } = await endpoint(argsList ?? [], argsDict ?? {}, { ...details, progress });
              return { argsList: args, argsDict: kwargs };
            } catch (error) {
              throw { error: error.uri, argsList: error.args, argsDict: error.kwargs };
            }
          },
          options,
        ),
      ),
    unregister: (registration) => ask(wampy.unregister(registration.topic)),
    call: (procedure, argsList, argsDict, options, onProgress) => {
      const notify = onProgress ? { progress_callback: (part) => onProgress(part.argsList) } : {};
      const promise = wampy.call(procedure, { argsList, argsDict }, { ...options, ...notify });
      const { reqId } = wampy.getOpStatus();
      const result = ask(promise).then((found) => ({ args: found.argsList, kwargs: found.argsDict }));
      return { result, cancel: (how) => wampy.cancel(reqId, how) };
    },
    close: async () => {
      await wampy.disconnect();
      return ending.reason;
    },
  };
}
