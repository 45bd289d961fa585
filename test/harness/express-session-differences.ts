/** Where ours does otherwise than express-session, on purpose: the first cells of the tables in the documents, by names for tests. */

/** `session()`: docs/sessions.md, "Other differences" and, where it begins with an option, "express-session's options". */
export const sessionDifferences = {
  promises: "Methods without a callback return no promise",
  laterTurn: "Callbacks may run within the call",
  changedKeysOnly: "The whole session is written; of concurrent requests the last wins",
  staysDestroyed: "`save()` of a destroyed session creates it again",
  loadErrors: "An error while loading goes to `next(error)`",
  saveErrors: "An error while saving goes to `next(error)` after the response was begun",
  regenerateErrors: "`regenerate()` goes on with a new session when the old one could not be ended",
  refusesValues: "What can't be serialized vanishes silently",
  richValues: "Values are JSON: a `Date` comes back as a text",
  cookieChangeIsSent: "Changing only `cookie.maxAge` sends no cookie",
  fullTime: "`cookie.maxAge` counts down between requests",
  maxAgeIsSent: "`Expires`",
  savedByHand: "Saving an empty new session by hand sends no cookie",
  wrongCookie: "A cookie that can't be sent goes to `next(error)`, and its session is kept",
  replaced: "`req.session = {...}` breaks at the end of the response",
  reserved: "`req.session.save = 1` takes the method away",
  prototype: "`req.session[key]` with a client's `__proto__` takes the methods away",
  sessionStore: "`req.sessionStore`",
  optionCookieFunction: "`cookie` as a function",
  optionSameSite: "`cookie.*`",
  optionName: "`name`",
  optionKey: "`key`",
  optionSecret: "`secret`",
  optionSaveUninitialized: "`saveUninitialized`",
  optionResave: "`resave`",
  optionGenid: "`genid`",
} as const;

/** express-session with `FlotillaStore`: docs/moving-in.md, "Differences". */
export const storeDifferences = {
  laterTurn: "Callbacks may run within the call",
  changedKeysOnly: "The whole session is written; of concurrent requests the last wins",
  staysDestroyed: "`save()` of a destroyed session creates it again",
  fullTime: "`cookie.maxAge` counts down between requests",
  noAll: "`all()` gives the sessions by their ids",
} as const;

export type SessionDifference = keyof typeof sessionDifferences;
export type StoreDifference = keyof typeof storeDifferences;
