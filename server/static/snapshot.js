// The link that saves the map as a file follows what is on view. Without this module it saves the
// whole city under the filters of the address.

for (const link of document.querySelectorAll("a[data-snapshot]")) {
  document.body.addEventListener("porchlight:view", ({ detail }) => {
    const query = new URLSearchParams(location.search);
    query.set("bbox", detail.bbox);
    link.href = `/snapshot?${query}`;
  });
}
