// The desk: keys of the queue, ticking all, only the fields that an act asks for, and the map as a tab
// where there is no room beside the list. Without this module links, boxes and forms do the same.

const list = () => document.querySelector("[data-desk-list]");
const rows = () => [...document.querySelectorAll("[data-desk-list] tbody tr")];
const boxes = () => rows().map((row) => row.querySelector("input"));

document.querySelector("[data-focus]")?.focus();

/** Says how many are ticked, and shows only what the chosen act asks for. */
function tell() {
  const told = document.querySelector("[data-ticked]");
  const all = document.querySelector("[data-tick-all]");
  const ticked = boxes().filter((box) => box.checked).length;
  if (told) told.textContent = ticked ? told.dataset.ticked.replace("{n}", ticked) : "";
  if (all) {
    all.hidden = false;
    all.checked = ticked > 0 && ticked === boxes().length;
    all.indeterminate = ticked > 0 && ticked < boxes().length;
  }
  const act = document.getElementById("act")?.value;
  for (const field of document.querySelectorAll("[data-for]")) {
    field.hidden = !field.dataset.for.split(" ").includes(act);
  }
  document.querySelector("[data-desk-keys]")?.removeAttribute("hidden");
}

document.addEventListener("change", ({ target }) => {
  if (target.matches("[data-tick-all]")) for (const box of boxes()) box.checked = !box.disabled && target.checked;
  if (target.closest("#change-form, .desk-change")) tell();
});

const help = document.querySelector("[data-desk-help]");

const typing = (element) =>
  element.isContentEditable ||
  element.matches("select, textarea, input:not([type=checkbox]), button, summary, [role=button], dialog *");

/** The row that has the focus, or -1. */
const here = () => rows().indexOf(document.activeElement?.closest("[data-desk-list] tbody tr"));

function go(at) {
  const row = rows()[Math.max(0, Math.min(at, rows().length - 1))];
  row?.querySelector("input, a").focus();
  row?.scrollIntoView({ block: "nearest" });
}

/** What keys do; those marked need a row. */
const ACTS = {
  j: () => go(here() + 1),
  k: () => go(here() - 1),
  x: (row) => row?.querySelector("input").click(),
  Enter: (row, target) => target.matches("input") && row?.querySelector("a").click(),
  m: (row) => {
    if (!row) return;
    show("map");
    row.dispatchEvent(new CustomEvent("porchlight:show", { bubbles: true }));
  },
  c: () => document.getElementById("change")?.focus(),
  "?": () => help?.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (!list() || event.ctrlKey || event.altKey || event.metaKey || help?.open) return;
  const act = ACTS[event.key];
  // Away from the list keys are the browser's, and whoever types is typing.
  const free = document.activeElement === document.body || here() >= 0;
  if (!act || typing(event.target) || !free) return;
  const row = rows()[here()];
  if (event.key === "Enter" && !event.target.matches("input")) return;
  event.preventDefault();
  act(row, event.target);
});

/** On a phone the list comes first, and the map by its button. */
function show(which) {
  const desk = document.querySelector(".desk");
  if (!desk) return;
  desk.dataset.shown = which;
  for (const button of document.querySelectorAll("[data-show]")) {
    button.setAttribute("aria-pressed", String(button.dataset.show === which));
  }
  dispatchEvent(new Event("resize")); // the map finds out how much room it has now
}
const choice = document.querySelector("[data-desk-switch]");
if (choice) {
  choice.hidden = false;
  choice.addEventListener("click", ({ target }) => target.dataset.show && show(target.dataset.show));
  show("list");
}

/** Has the form of filters say what the address says again, after a step back. */
function fill() {
  const asked = new URLSearchParams(location.search);
  for (const field of document.querySelector(".desk-filters form").elements) {
    if (field.type === "checkbox") field.checked = asked.has(field.name);
    else if (field.matches("select, [type=search]")) field.value = asked.get(field.name) ?? "";
  }
}

document.body.addEventListener("htmx:afterSettle", tell);
document.body.addEventListener("htmx:historyRestore", () => {
  fill();
  tell();
});
tell();
