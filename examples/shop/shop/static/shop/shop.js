/** The shop's page. Django renders it; changes arrive over WAMP, and actions are WAMP calls. */

import { Connection } from "../wamp_transport/connection.js";

const byId = (id) => document.getElementById(id);
const orders = byId("orders"); // only in the page of a user who is logged in
const isKeeper = orders !== null && "keeper" in orders.dataset;

const connection = new Connection("/ws", "shop", { authmethods: ["django-session", "anonymous"] });

function showNotice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

/** Run an action and show its error, if any. */
async function attempt(action) {
  showNotice("");
  try {
    return await action();
  } catch (error) {
    showNotice(error.message);
  }
}

// --- products --------------------------------------------------------------------------------------------------

function showProduct(pk, { name, price, stock }) {
  const card = document.querySelector(`[data-product="${pk}"]`);
  if (!card) return location.reload(); // a new product
  const number = card.querySelector("[data-stock]");
  if (number.textContent !== String(stock)) flash(card);
  card.querySelector("h2").textContent = name;
  card.querySelector("[data-price]").textContent = price;
  number.textContent = stock;
  const button = card.querySelector("[data-buy]");
  if (button) button.disabled = stock === 0;
}

function removeProduct(pk) {
  document.querySelector(`[data-product="${pk}"]`)?.remove();
}

function flash(element) {
  element.classList.remove("changed");
  void element.offsetWidth; // restarts the animation
  element.classList.add("changed");
}

connection.subscribe("com.example.shop.product.created", () => location.reload());
connection.subscribe("com.example.shop.product.updated", ([pk], product) => showProduct(pk, product));
connection.subscribe("com.example.shop.product.deleted", ([pk]) => removeProduct(pk));

byId("products").addEventListener("click", ({ target }) => {
  if (!target.matches("[data-buy]")) return;
  const { sku } = target.closest("[data-sku]").dataset;
  attempt(() => connection.call("com.example.shop.buy", [sku]));
});

// --- orders ----------------------------------------------------------------------------------------------------

function cell(row, content) {
  row.insertCell().append(content);
}

function showOrder(pk, { customer_name: customer, product_name: product, quantity, status }) {
  const row = document.querySelector(`[data-order="${pk}"]`) ?? insertRow(pk);
  row.replaceChildren();
  for (const content of [pk, ...(isKeeper ? [customer] : []), product, quantity]) cell(row, content);
  cell(row, isKeeper && status === "ordered" ? shipButton(pk) : status);
  updateEmptyText();
}

function removeOrder(pk) {
  document.querySelector(`[data-order="${pk}"]`)?.remove();
  updateEmptyText();
}

/** Show a text if there are no orders. */
function updateEmptyText() {
  byId("no-orders").hidden = orders.rows.length > 0;
}

/** Insert a row for an order; the latest order is on top. */
function insertRow(pk) {
  const row = document.createElement("tr");
  row.dataset.order = pk;
  const older = [...orders.rows].find((other) => Number(other.dataset.order) < pk);
  orders.insertBefore(row, older ?? null);
  return row;
}

function shipButton(pk) {
  const button = document.createElement("button");
  button.textContent = "Ship";
  button.addEventListener("click", () => attempt(() => connection.call("com.example.shop.ship", [pk])));
  return button;
}

if (orders) {
  const topic = isKeeper ? "com.example.shop.order" : "com.example.shop.my_order";
  connection.subscribe(`${topic}.created`, ([pk], order) => showOrder(pk, order));
  connection.subscribe(`${topic}.updated`, ([pk], order) => showOrder(pk, order));
  connection.subscribe(`${topic}.deleted`, ([pk]) => removeOrder(pk));
}

// --- the keeper ------------------------------------------------------------------------------------------------

byId("restock")?.addEventListener("click", async () => {
  const progress = byId("progress");
  progress.hidden = false;
  byId("restock").disabled = true;
  const onProgress = ({ args: [{ product, done, of }] }) => {
    progress.value = done / of;
    byId("restocked").textContent = `${product} (${done} of ${of})`;
  };
  await attempt(() => connection.call("com.example.shop.restock", [], {}, { onProgress }));
  progress.hidden = true;
  byId("restock").disabled = false;
});

// --- the connection --------------------------------------------------------------------------------------------

const STATES = { offline: "Offline", connecting: "Connecting", online: "Live", waiting: "Reconnecting" };

/** Load the current data: the page missed the events while it was disconnected. */
async function refresh() {
  await show("com.example.shop.catalogue", "product", showProduct, removeProduct);
  if (orders) await show("com.example.shop.orders", "order", showOrder, removeOrder);
}

/** Show everything that a procedure returns, and remove what it does not return any more. */
async function show(procedure, kind, showOne, removeOne) {
  const gone = new Set([...document.querySelectorAll(`[data-${kind}]`)].map((element) => Number(element.dataset[kind])));
  const found = await connection.call(procedure);
  for (const { pk, ...values } of found.args[0]) {
    gone.delete(pk);
    showOne(pk, values);
  }
  gone.forEach(removeOne);
}

connection.addEventListener("change", () => {
  const { name, reason } = connection.state;
  byId("state").dataset.state = name;
  byId("state").textContent = STATES[name];
  document.body.classList.toggle("away", name !== "online");
  if (name === "online") attempt(refresh);
  else if (reason === "wamp.close.logout") showNotice("You have logged out. Reload the page to look around.");
});
connection.open();
