// What is wrong with a form comes first.

document.querySelector("[data-focus]")?.focus();
