/** Sessions on two servers, held to the rules of all stores. */
import { storeConformance } from "../../src/session/conformance/index.ts";
import { ClusterPair } from "../harness/cluster-pair.ts";

storeConformance({
  name: "the cluster's own store",
  async open() {
    const pair = await ClusterPair.start();
    return { stores: pair.stores, end: async () => pair.stop() };
  },
});
