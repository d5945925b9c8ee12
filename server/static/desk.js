// The desk.
document.querySelector("[data-focus]")?.focus();
