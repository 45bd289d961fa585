/** The sessions that one process keeps in memory, in tables of one copy of a slot each. */
import { SlotSessions } from "./slot-sessions.ts";

export class SessionMemory {
  /** An empty one. */
  newTable(): SlotSessions {
    return new SlotSessions();
  }
}
