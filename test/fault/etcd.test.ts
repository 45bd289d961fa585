/** The faults whose takeovers and returns ask the register most, with the register in etcd; `npm run faults -- --coordination etcd` has all. */
import { test } from "node:test";
import { whyNoEngine } from "./engines.ts";
import { faultsWith } from "./faults.ts";
import { whyNoNetwork } from "./network.ts";
import { strike } from "./strike.ts";

const chosen = ["killed", "stopped", "cut-off", "deaf", "engine-killed", "engine-cut", "engine-away"];

test(
  "with the register in etcd single faults lose nothing, nor those of etcd",
  { skip: whyNoNetwork() ?? whyNoEngine("etcd") ?? false },
  (t) =>
    strike(
      t,
      "etcd",
      faultsWith("etcd").filter(({ name }) => chosen.includes(name)),
    ),
);
