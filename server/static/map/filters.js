// The form of filters, kept in step with the address.

import { FILTERS, filtersOf } from "porchlight/address.js";

const fields = (form) => [...form.elements].filter(({ name }) => FILTERS.includes(name));

/** The filters as the form has them. */
export function filtersIn(form) {
  return form ? filtersOf(new URLSearchParams(new FormData(form))) : new URLSearchParams();
}

/** Fills the form from filters, for a page that came back out of the browser's history. */
export function fillForm(form, filters) {
  if (!form) return;
  for (const field of fields(form)) {
    const values = filters.getAll(field.name);
    if (field.type === "checkbox" || field.type === "radio") {
      field.checked = field.value ? values.includes(field.value) : values.length === 0;
    } else if (field instanceof HTMLSelectElement && field.multiple) {
      for (const option of field.options) option.selected = values.includes(option.value);
    } else {
      field.value = values[0] ?? "";
    }
  }
}

/** Calls back when somebody changes a filter. Without this module the form's button does it. */
export function onFilters(form, callback) {
  if (!form) return;
  form.addEventListener("change", callback);
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
