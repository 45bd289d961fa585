/** What all requests of one web server share. */
import type { BlockList } from "node:net";
import type { HttpLimits, Maintenance, Timeouts } from "../config/model.ts";
import type { Member } from "../member/member.ts";
import type { Log } from "../support/log.ts";
import type { TimerWheel } from "../support/timer-wheel.ts";
import type { AccessLog } from "./access-log.ts";
import type { AnswerPages } from "./answer-pages.ts";
import type { RequestIds } from "./forwarded.ts";
import type { RouteTable } from "./route-table.ts";
import type { BodyFolder } from "./whole-body.ts";

export interface Site {
  readonly member: Member;
  readonly log: Log;
  readonly routes: RouteTable;
  readonly limits: HttpLimits;
  readonly timeouts: Timeouts;
  readonly trusted: BlockList;
  readonly wheel: TimerWheel;
  readonly accessLog: AccessLog;
  readonly bodies: BodyFolder;
  readonly pages: AnswerPages;
  /** Of the web tier itself; null: it takes requests. */
  readonly maintenance: Maintenance | null;
  readonly requestIds: RequestIds;
  /** We are about to stop: answers say that their connection closes. */
  draining: boolean;
}
