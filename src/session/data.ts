/**
 * Your application's keys, for the type checker:
 * `declare module "flotilla/session" { interface SessionData { user: string } }`
 */
// biome-ignore lint/suspicious/noEmptyInterface: an interface, because users add their keys to it.
export interface SessionData {}
