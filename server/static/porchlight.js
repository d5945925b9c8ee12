// What every page may use: words for a part of it that was loaded or could not be, and a button that
// shares or copies its address.

for (const event of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.body.addEventListener(event, ({ detail: { target } }) => {
    if (!target?.dataset.failed) return;
    const words = document.createElement("p");
    words.setAttribute("role", "alert");
    words.textContent = target.dataset.failed;
    target.replaceChildren(words);
  });
}

// Of a part that was loaded anew its first line is said, not all of it. A step back names no part.
document.body.addEventListener("htmx:afterSwap", ({ detail: { target } }) => {
  const status = target && document.querySelector(`[data-says="${target.id}"]`);
  if (status) status.textContent = target.firstElementChild?.textContent.replace(/\s+/g, " ") ?? "";
});

// Whoever signs out leaves no page on this device that was kept for times without a connection. What waits to
// be sent stays: it holds no name, and would be lost.
for (const form of document.querySelectorAll('form[action="/sign-out"]')) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const { forgetPages } = await import("./offline.js");
      await forgetPages();
    } finally {
      form.submit();
    }
  });
}

for (const button of document.querySelectorAll("button[data-share]")) {
  if (!navigator.share && !navigator.clipboard) continue; // neither exists outside of https
  button.hidden = false;
  button.addEventListener("click", async () => {
    const url = new URL(button.dataset.share, location.href).href;
    if (navigator.share) {
      // Whoever closes the system's own dialog has decided; that is no failure.
      await navigator.share({ title: document.title, url }).catch(() => {});
      return;
    }
    await navigator.clipboard.writeText(url);
    const { textContent } = button;
    button.textContent = button.dataset.shared;
    setTimeout(() => {
      button.textContent = textContent;
    }, 2_000);
  });
}
