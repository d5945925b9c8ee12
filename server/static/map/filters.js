// The form of filters, kept in step with the address.

import { FILTERS, filtersOf } from "porchlight/address.js";

const fields = (form) => [...form.elements].filter(({ name }) => FILTERS.includes(name));

/** The filters as the form has them, without days of which the last comes before the first. */
export function filtersIn(form) {
  const found = form ? filtersOf(new URLSearchParams(new FormData(form))) : new URLSearchParams();
  for (const { name, validity } of form ? fields(form) : []) if (!validity.valid) found.delete(name);
  return found;
}

function boundDays(form) {
  const { from, to } = form.elements;
  from.max = to.value;
  to.min = from.value;
}

/** Says of each closed group of choices what is chosen in it. */
function sayChoices(form) {
  for (const group of form.querySelectorAll("[data-choices]")) {
    const said = group.querySelector("summary [data-any]");
    const chosen = [...group.querySelectorAll("label:has(:checked)")].map((label) => label.textContent.trim());
    said.textContent = chosen.join(", ") || said.dataset.any;
  }
}

/** Fills the form from filters, for a page that came back out of the browser's history. */
export function fillForm(form, filters) {
  if (!form) return;
  for (const field of fields(form)) {
    const values = filters.getAll(field.name);
    if (field.type === "checkbox") field.checked = values.includes(field.value);
    else field.value = values[0] ?? "";
  }
  sayChoices(form);
  boundDays(form);
}

/** Calls back when somebody changes a filter. Without this module the form's button does it. */
export function onFilters(form, callback) {
  if (!form) return;
  form.addEventListener("change", () => {
    sayChoices(form);
    boundDays(form);
    if (form.reportValidity()) callback();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    callback();
  });
  form.querySelector("[data-clear-filters]")?.addEventListener("click", (event) => {
    event.preventDefault(); // the link leads to the whole city; here only the filters go
    fillForm(form, new URLSearchParams());
    callback();
  });
}
