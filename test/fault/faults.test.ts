/** Every fault once, on real servers in network namespaces, under load (docs/faults.md). */
import { test } from "node:test";
import { faultsWith } from "./faults.ts";
import { whyNoNetwork } from "./network.ts";
import { strike } from "./strike.ts";

test(
  "single faults lose nothing, and nobody is shown anything wrong",
  { skip: whyNoNetwork() ?? false },
  (t) => strike(t, "members", faultsWith("members")),
);
