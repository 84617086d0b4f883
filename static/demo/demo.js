/** The demo page: forms and lists around one WAMP connection. */

import { Connection } from "../wamp_transport/connection.js";
import { Result, WampError } from "../wamp_transport/wamp.js";

const KEPT_MESSAGES = 200;
const KEPT_EVENTS = 100;

const byId = (id) => document.getElementById(id);
const { websocketPath, realm } = document.body.dataset;
const websocketUrl = new URL(websocketPath, location.href.replace(/^http/, "ws")).href;

// --- texts for people ------------------------------------------------------------------------------------------

const STATE_TEXT = { offline: "Offline", connecting: "Connecting", online: "Connected", waiting: "Waiting to reconnect" };

/** Sentences for the most common errors; `subject` is the topic or procedure. */
const ERROR_TEXT = {
  "wamp.error.no_such_procedure": (subject) =>
    `Nobody has registered ${subject}. Register it in this tab or another one, then call again.`,
  "wamp.error.procedure_already_exists": (subject) => `Another client has already registered ${subject}.`,
  "wamp.error.invalid_uri": (subject) => `“${subject}” is not a valid URI: no spaces, no # and no empty components.`,
  "wamp.error.not_authorized": (subject) => `This session is not authorized to do that with ${subject}.`,
  "wamp.error.no_such_realm": () => `The router has no realm named “${realm}”.`,
  "wamp.error.timeout": (subject) => `${subject} took too long to answer.`,
  "wamp.error.canceled": (subject) => `The call of ${subject} was canceled because its callee has left.`,
};

function explain(error, subject) {
  if (!(error instanceof WampError)) return error.message;
  const text = ERROR_TEXT[error.uri]?.(subject);
  if (text) return text;
  const detail = error.message === error.uri ? "" : `${error.message} `;
  const named = Object.keys(error.kwargs).length ? ` ${JSON.stringify(error.kwargs)}` : "";
  return `${detail}[${error.uri}]${named}`;
}

function showProblem(box, text) {
  box.textContent = text;
  box.hidden = !text;
}

// --- lists -----------------------------------------------------------------------------------------------------

const fromTemplate = (id) => byId(id).content.firstElementChild.cloneNode(true);

/** Add an entry at the top of a list and remove the oldest entries above the limit. */
function addEntry(list, kept, { kind, label, text, testId }) {
  const entry = fromTemplate("entry-template");
  const now = new Date();
  entry.dataset.kind = kind;
  entry.dataset.testid = testId;
  entry.querySelector("time").textContent = now.toLocaleTimeString([], { hour12: false });
  entry.querySelector("time").dateTime = now.toISOString();
  entry.querySelector(".entry-label").textContent = label;
  entry.querySelector("pre").textContent = text;
  list.prepend(entry);
  while (list.children.length > kept) list.lastElementChild.remove();
}

function count(element, by) {
  element.textContent = by ? Number(element.textContent) + by : 0;
}

const showPayload = (args, kwargs) =>
  [JSON.stringify(args), Object.keys(kwargs).length ? JSON.stringify(kwargs) : ""].filter(Boolean).join("\n");

// --- forms -----------------------------------------------------------------------------------------------------

/** Return the value of a JSON field. Otherwise mark the field and throw an error that names it. */
function readJson(field, name, empty, isRightKind, example) {
  field.setAttribute("aria-invalid", "false");
  try {
    const text = field.value.trim();
    const value = text ? JSON.parse(text) : empty;
    if (isRightKind(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  field.setAttribute("aria-invalid", "true");
  field.focus();
  throw new Error(`${name} must be ${example}.`);
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function readPayload({ args, kwargs }) {
  return [
    readJson(args, "Arguments", [], Array.isArray, 'a JSON list, for example [1, "two"]'),
    readJson(kwargs, "Keyword arguments", {}, isObject, 'a JSON object, for example {"color": "green"}'),
  ];
}

function readUri(field, name) {
  const uri = field.value.trim();
  field.setAttribute("aria-invalid", String(!uri));
  if (uri) return uri;
  field.focus();
  throw new Error(`${name} is missing.`);
}

/** Run `action(fields)` on submit, and show its errors in the form. */
function onSubmit(form, action) {
  const problem = form.querySelector(".problem");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    showProblem(problem, "");
    const { elements } = form;
    try {
      await action(elements);
    } catch (error) {
      showProblem(problem, explain(error, (elements.topic ?? elements.procedure).value.trim()));
    }
  });
  for (const area of form.querySelectorAll("textarea")) {
    area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
  }
}

// --- connection ------------------------------------------------------------------------------------------------

const connection = new Connection(websocketUrl, realm, {
  onTraffic(direction, text) {
    const label = direction === "sent" ? "↑ sent" : "↓ received";
    addEntry(byId("wire-log"), KEPT_MESSAGES, { kind: direction, label, text, testId: "wire-message" });
    count(byId("wire-count"), 1);
  },
});

const session = () => {
  if (connection.state.session) return connection.state.session;
  throw new WampError("wamp.close.transport_lost", ["There is no connection to the router."]);
};

let countdown;

function showWaiting() {
  const { retryAt, message } = connection.state;
  const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  byId("state-message").textContent = `${message} Next attempt in ${seconds} s.`;
}

function showState() {
  const { name, session: open, reason, message } = connection.state;
  document.querySelector(".state").dataset.state = name;
  byId("state-text").textContent = STATE_TEXT[name];
  byId("state-message").textContent = message || reason ? explain(new WampError(reason, message ? [message] : []), "") : "";
  byId("session-id").textContent = open?.id ?? "–";
  byId("authrole").textContent = open?.details.authrole ?? "–";
  byId("serializer").textContent = open?.serializer ?? "–";
  byId("connect").textContent = { offline: "Connect", waiting: "Try now" }[name] ?? "Disconnect";
  for (const fieldset of document.querySelectorAll("fieldset")) fieldset.disabled = !open;
  for (const { button } of procedures) button.disabled = !open;
  clearInterval(countdown);
  if (name === "waiting") {
    showWaiting();
    countdown = setInterval(showWaiting, 1000);
  }
}

connection.addEventListener("change", async () => {
  showState();
  if (connection.state.name === "online") await restore();
});
byId("connect").addEventListener("click", () => {
  if (["offline", "waiting"].includes(connection.state.name)) connection.open();
  else connection.close();
});
addEventListener("online", () => {
  if (connection.state.name === "waiting") connection.open();
});

// --- publish and subscribe -------------------------------------------------------------------------------------

/** The subscriptions of this tab, by match policy and topic. They are kept when the connection is lost. */
const subscriptions = new Map();

function onEvent(args, kwargs, { topic, publisher }) {
  const label = publisher ? `${topic} · from ${publisher}` : topic;
  addEntry(byId("events"), KEPT_EVENTS, { kind: "event", label, text: showPayload(args, kwargs), testId: "event" });
  count(byId("event-count"), 1);
  byId("no-events").hidden = true;
}

const subscribe = ({ topic, match }) => session().subscribe(topic, onEvent, match === "exact" ? {} : { match });

function showSubscription(key, { topic, match }) {
  const item = fromTemplate("subscription-template");
  const button = item.querySelector("button");
  item.querySelector("code").textContent = topic;
  item.querySelector(".hint").textContent = match;
  button.setAttribute("aria-label", `Unsubscribe from ${topic} (${match})`);
  button.addEventListener("click", async () => {
    const problem = byId("subscribe-form").querySelector(".problem");
    try {
      await session().unsubscribe(subscriptions.get(key).receipt);
      subscriptions.delete(key);
      item.remove();
      showProblem(problem, "");
    } catch (error) {
      showProblem(problem, explain(error, topic));
    }
  });
  byId("subscriptions").append(item);
  return item;
}

onSubmit(byId("subscribe-form"), async ({ topic: field, match: { value: match } }) => {
  const topic = readUri(field, "The topic");
  const key = `${match} ${topic}`;
  if (subscriptions.has(key)) throw new Error(`This tab is already subscribed to ${topic} (${match}).`);
  const subscription = { topic, match };
  subscriptions.set(key, subscription); // before waiting, so that a second click does not subscribe twice
  try {
    subscription.receipt = await subscribe(subscription);
    subscription.item = showSubscription(key, subscription);
  } catch (error) {
    subscriptions.delete(key);
    throw error;
  }
});

onSubmit(byId("publish-form"), async (fields) => {
  const topic = readUri(fields.topic, "The topic");
  const [args, kwargs] = readPayload(fields);
  const options = { acknowledge: true, exclude_me: !fields["include-me"].checked };
  const publication = await session().publish(topic, args, kwargs, options);
  byId("publish-form").querySelector(".outcome").textContent = `Published to ${topic} as publication ${publication}.`;
});

byId("clear-events").addEventListener("click", () => {
  byId("events").replaceChildren();
  byId("no-events").hidden = false;
  count(byId("event-count"), 0);
});
byId("clear-wire").addEventListener("click", () => {
  byId("wire-log").replaceChildren();
  count(byId("wire-count"), 0);
});

// --- register and call -----------------------------------------------------------------------------------------

function needNumbers(args, names) {
  if (args.length === names.length && args.every((value) => typeof value === "number")) return args;
  throw new WampError("wamp.error.invalid_argument", [`Expected ${names.length} numbers: ${names.join(" and ")}.`]);
}

/** The procedures that this tab can register. `run(args)` runs in the tab. */
const procedures = [
  {
    uri: "com.example.add2",
    text: "adds two numbers",
    example: "[2, 3]",
    run(args) {
      const [a, b] = needNumbers(args, ["a", "b"]);
      return a + b;
    },
  },
  {
    uri: "com.example.reverse",
    text: "reverses a text",
    example: '["Straße"]',
    run([text]) {
      if (typeof text !== "string") throw new WampError("wamp.error.invalid_argument", ["Expected one text."]);
      return [...text].reverse().join("");
    },
  },
  {
    uri: "com.example.divide",
    text: "divides two numbers; division by zero is an application error",
    example: "[1, 0]",
    run(args) {
      const [a, b] = needNumbers(args, ["a", "b"]);
      if (b === 0) throw new WampError("com.example.error.division_by_zero", ["Cannot divide by zero."], { dividend: a });
      return new Result([Math.trunc(a / b)], { remainder: a % b });
    },
  },
];

async function register(entry) {
  entry.receipt = await session().register(entry.uri, (args) => {
    entry.calls += 1;
    showProcedure(entry);
    return entry.run(args);
  });
  showProcedure(entry);
}

function showProcedure({ button, counter, receipt, calls }) {
  button.textContent = receipt ? "Unregister" : "Register";
  button.setAttribute("aria-pressed", String(Boolean(receipt)));
  counter.textContent = calls ? `${calls} ${calls === 1 ? "call" : "calls"}` : "";
}

async function toggle(entry) {
  if (entry.isBusy) return;
  const problem = byId("procedures-problem");
  showProblem(problem, "");
  entry.isBusy = true;
  try {
    if (entry.receipt) {
      await session().unregister(entry.receipt);
      entry.receipt = null;
      showProcedure(entry);
    } else {
      await register(entry);
    }
  } catch (error) {
    showProblem(problem, explain(error, entry.uri));
  } finally {
    entry.isBusy = false;
  }
}

for (const entry of procedures) {
  const item = fromTemplate("procedure-template");
  Object.assign(entry, {
    button: item.querySelector("button"), counter: item.querySelector(".calls"), receipt: null, calls: 0,
  });
  item.dataset.procedure = entry.uri;
  item.querySelector("code").textContent = entry.uri;
  item.querySelector(".hint").textContent = entry.text;
  entry.button.id = `register-${entry.uri.split(".").pop()}`;
  item.querySelector("code").id = `${entry.button.id}-uri`;
  entry.button.setAttribute("aria-describedby", `${entry.button.id}-uri`);
  entry.button.addEventListener("click", () => toggle(entry));
  byId("procedures").append(item);
  byId("known-procedures").append(new Option("", entry.uri));
}

/** Fill in example arguments for a known procedure, unless the visitor has changed them. */
byId("call-form").elements.procedure.addEventListener("input", ({ target }) => {
  const { args } = byId("call-form").elements;
  const known = procedures.find(({ uri }) => uri === target.value.trim());
  if (known && procedures.some(({ example }) => example === args.value)) args.value = known.example;
});

onSubmit(byId("call-form"), async (fields) => {
  const outcome = byId("call-form").querySelector(".result");
  outcome.replaceChildren();
  const procedure = readUri(fields.procedure, "The procedure");
  const [args, kwargs] = readPayload(fields);
  const started = performance.now();
  const result = await session().call(procedure, args, kwargs);
  const pre = document.createElement("pre");
  const took = document.createElement("span");
  pre.textContent = showPayload(result.args, result.kwargs);
  pre.dataset.testid = "call-result";
  took.className = "hint";
  took.textContent = `answered in ${(performance.now() - started).toFixed(1)} ms`;
  outcome.replaceChildren(pre, took);
});

// --- after a reconnect -----------------------------------------------------------------------------------------

/** Subscribe and register again what this tab had: a new session starts without them. */
async function restore() {
  for (const [key, subscription] of subscriptions) {
    try {
      subscription.receipt = await subscribe(subscription);
    } catch (error) {
      subscriptions.delete(key);
      subscription.item?.remove();
      showProblem(byId("subscribe-form").querySelector(".problem"), explain(error, subscription.topic));
    }
  }
  for (const entry of procedures.filter(({ receipt }) => receipt)) {
    try {
      await register(entry);
    } catch (error) {
      entry.receipt = null;
      showProcedure(entry);
      showProblem(byId("procedures-problem"), explain(error, entry.uri));
    }
  }
}

connection.open();
