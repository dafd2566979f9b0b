// The page of the index service: search an item, see its two lists side by side. The address holds what is shown.
"use strict";

const SHOWN = 20;
const byId = (id) => document.getElementById(id);
let asked = 0;

async function get(path, parameters = {}) {
  const response = await fetch(`${path}?${new URLSearchParams(parameters)}`);
  const body = await response.json();
  if (!response.ok) throw new Error(body.error);
  return body;
}

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function link(item) {
  const made = element("a", item.title || item.item);
  made.href = `?${new URLSearchParams({ item: item.item })}`;
  made.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    history.pushState(null, "", made.href);
    show();
  });
  return made;
}

function described(cell, item, extra) {
  cell.append(link(item));
  if (item.is_long_tail) cell.append(" ", element("span", "long tail", "tag"));
  if (extra) cell.append(" ", element("span", extra, "tag only"));
  if (item.title) cell.append(element("div", item.item, "id"));
  return cell;
}

function table(related, others) {
  if (!related.length) return element("p", "No related items.");
  const made = element("table");
  const head = made.createTHead().insertRow();
  for (const name of ["Rank", "Item", "Score"]) {
    const cell = element("th", name, name === "Score" ? "number" : "");
    cell.scope = "col";
    head.append(cell);
  }
  const body = made.createTBody();
  related.forEach((item, place) => {
    const row = body.insertRow();
    row.insertCell().textContent = place + 1;
    described(row.insertCell(), item, others && !others.has(item.item) ? "only here" : "");
    const score = row.insertCell();
    score.className = "number";
    score.textContent = item.score.toPrecision(4);
  });
  return made;
}

async function showItem(item) {
  const path = `/related/${encodeURIComponent(item)}`;
  const [augmented, baseline] = await Promise.all([
    get(path, { k: SHOWN }),
    get(path, { k: SHOWN, index: "baseline" }).catch(() => null),
  ]);
  return () => {
    const ids = (answer) => answer && new Set(answer.related.map((r) => r.item));
    const title = byId("item-title");
    title.replaceChildren();
    title.append(augmented.item.title || augmented.item.item);
    if (augmented.item.is_long_tail) title.append(" ", element("span", "long tail", "tag"));
    if (augmented.item.title) title.append(element("div", augmented.item.item, "id"));
    byId("augmented").replaceChildren(table(augmented.related, ids(baseline)));
    byId("baseline").replaceChildren(
      baseline ? table(baseline.related, ids(augmented)) : element("p", "This environment has no baseline index."),
    );
    byId("item").hidden = false;
    byId("status").textContent = "";
    title.focus();
  };
}

async function showFound(words) {
  const { items } = await get("/items", { q: words, limit: SHOWN + 1 });
  return () => {
    const count = items.length > SHOWN ? `More than ${SHOWN} items; the first ${SHOWN}:` : `${items.length} ${items.length === 1 ? "item" : "items"}`;
    byId("status").textContent = items.length ? count : `No item has “${words}”.`;
    byId("found").replaceChildren(...items.slice(0, SHOWN).map((item) => described(element("li"), item)));
  };
}

async function show() {
  const mine = ++asked;
  const wanted = new URLSearchParams(location.search);
  byId("q").value = wanted.get("q") || "";
  byId("status").textContent = "";
  try {
    let put = () => {};
    if (wanted.get("item")) put = await showItem(wanted.get("item"));
    else if (wanted.get("q")) put = await showFound(wanted.get("q"));
    if (mine !== asked) return; // a later question was asked meanwhile
    byId("found").replaceChildren();
    byId("item").hidden = true;
    put();
  } catch (error) {
    if (mine !== asked) return;
    byId("found").replaceChildren();
    byId("item").hidden = true;
    byId("status").textContent = `${error.message}.`;
  }
}

byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const q = byId("q").value.trim();
  if (!q) return;
  history.pushState(null, "", `?${new URLSearchParams({ q })}`);
  show();
});
addEventListener("popstate", show);
get("/ready")
  .then((r) => {
    byId("release").textContent = `Environment ${r.environment}, version ${r.version}: ${r.items.toLocaleString()} items, ${r.pairs.toLocaleString()} pairs.`;
  })
  .catch(() => {});
show();
