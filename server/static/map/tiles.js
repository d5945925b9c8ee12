// Vector tiles over the network, decoded. protomaps-leaflet knows the format and takes anything with
// getZxy(z, x, y, signal) for a source, so the fetch is ours: it knows filters and versions, and a
// failure stays a failure instead of becoming an empty tile.

const { PmtilesSource } = globalThis.protomapsL;

/** A tile the server would not or could not give. */
export class TileError extends Error {}

/**
 * The tiles of one layer.
 *
 * `query` is what stands behind the question mark: the version and, where the layer is filtered,
 * the filters. Another query is another address, so nothing stale comes out of a cache.
 */
export class TileSource {
  constructor(template) {
    this.template = template;
    this.query = null; // not known yet: nothing is asked for before it is
    this.decoder = new PmtilesSource({ getZxy: (...tile) => this.bytes(...tile) }, false);
  }

  /** Map of MVT layer name to features, with coordinates in pixels of a tile `size` wide. */
  get(tile, size) {
    return this.decoder.get(tile, size);
  }

  async bytes(z, x, y) {
    const address = this.template.replace("{z}", z).replace("{x}", x).replace("{y}", y);
    let response;
    try {
      response = await fetch(this.query ? `${address}?${this.query}` : address);
    } catch (error) {
      throw new TileError(address, { cause: error });
    }
    if (!response.ok) throw new TileError(`${response.status} ${address}`);
    if (response.status === 204) return undefined;
    return { data: await response.arrayBuffer() };
  }
}
