/** `flotilla/app`: what an application imports to be served by the cluster. */
export type { Served } from "./app-server.ts";
export type { FetchHandler } from "./fetch-handler.ts";
export { type Application, type ServeOptions, serve } from "./serve.ts";
