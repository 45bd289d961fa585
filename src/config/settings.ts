/**
 * THE table of settings: every key of flotilla.yaml, one row each. It drives the check of the file, the JSON
 * Schema (schema/flotilla.schema.json) and the reference (docs/reference.md); `npm run generate` writes both.
 *
 * Paths: `<name>` stands for a name that the file chooses, `[]` for each item of a list. A section comes before
 * its keys. Durations are in milliseconds and sizes in bytes here, and with a unit in the file.
 */
import { balancingSettings } from "./settings/balancing.ts";
import { clusterSettings } from "./settings/cluster.ts";
import { coordinationSettings } from "./settings/coordination.ts";
import { fileSettings } from "./settings/file.ts";
import { limitSettings } from "./settings/limits.ts";
import { listenSettings } from "./settings/listen.ts";
import { routeSettings } from "./settings/routes.ts";
import { serverSettings, witnessSettings } from "./settings/servers.ts";
import { sessionSettings } from "./settings/sessions.ts";
import type { Setting } from "./settings/setting.ts";
import { timeoutSettings } from "./settings/timeouts.ts";

export const settings: readonly Setting[] = [
  ...fileSettings,
  ...serverSettings,
  ...witnessSettings,
  ...listenSettings,
  ...routeSettings,
  ...clusterSettings,
  ...coordinationSettings,
  ...sessionSettings,
  ...balancingSettings,
  ...limitSettings,
  ...timeoutSettings,
];
