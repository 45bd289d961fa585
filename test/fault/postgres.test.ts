/** Faults with the register in PostgreSQL, and those of PostgreSQL; `npm run faults -- --coordination postgres` has all. */
import { test } from "node:test";
import { whyNoEngine } from "./engines.ts";
import { faultsWith } from "./faults.ts";
import { whyNoNetwork } from "./network.ts";
import { strike } from "./strike.ts";

const chosen = ["killed", "cut-off", "engine-killed", "engine-stopped", "engine-away"];

test(
  "with the register in PostgreSQL single faults lose nothing, nor those of PostgreSQL",
  { skip: whyNoNetwork() ?? whyNoEngine("postgres") ?? false },
  (t) =>
    strike(
      t,
      "postgres",
      faultsWith("postgres").filter(({ name }) => chosen.includes(name)),
    ),
);
