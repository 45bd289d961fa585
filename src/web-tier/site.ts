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

/** What comes from the file, and is another when the file has changed. */
export interface SiteSettings {
  readonly routes: RouteTable;
  readonly limits: HttpLimits;
  readonly timeouts: Timeouts;
  readonly trusted: BlockList;
  /** Clients whose session ids in paths choose a server. */
  readonly sessionIdNetworks: BlockList;
  readonly accessLog: AccessLog;
  readonly pages: AnswerPages;
  /** Of the web tier itself; null: it takes requests. */
  readonly maintenance: Maintenance | null;
}

/** Nobody keeps a part of it from one request to the next. */
export interface Site extends Mutable<SiteSettings> {
  readonly member: Member;
  readonly log: Log;
  readonly wheel: TimerWheel;
  readonly bodies: BodyFolder;
  readonly requestIds: RequestIds;
  /** We are about to stop: answers say that their connection closes. */
  draining: boolean;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
