/** Sessions in the memory of one process, held to the rules of all stores. */

import { storeConformance } from "../../src/session/conformance/index.ts";
import { placeAlone } from "../../src/session/place.ts";

storeConformance({
  name: "the process's own memory",
  async open() {
    const { store } = placeAlone(null);
    return { stores: [store, store], end: async () => {} };
  },
});
