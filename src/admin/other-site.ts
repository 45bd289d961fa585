/** A data folder belongs to one site: another one's servers may have the names of ours, and are not ours to stop. */
import { realpathSync } from "node:fs";
import type { ClusterFile } from "../config/model.ts";
import { FlotillaError } from "../support/errors.ts";
import { livingRecords } from "./run-record.ts";

/** @throws FlotillaError FLOTILLA_DATA_FOLDER_SHARED when servers run from the data folder with another file. */
export function refuseOtherSite(file: ClusterFile): void {
  const other = livingRecords(file).find((record) => !isSameFile(record.file, file.path));
  if (other === undefined) return;
  throw new FlotillaError(
    "FLOTILLA_DATA_FOLDER_SHARED",
    `the data folder ${file.dataFolder} is used by the site of ${other.file} (process ${other.pid}): give each site ` +
      `its own \`data:\`. If it is this site with its file in another place, stop it with -c ${other.file} first`,
    { source: "client" },
  );
}

/** Under whatever name. A file that is gone was renamed while its servers ran: nobody else has them. */
function isSameFile(other: string, own: string): boolean {
  if (other === own) return true;
  try {
    return realpathSync(other) === realpathSync(own);
  } catch {
    return true;
  }
}
