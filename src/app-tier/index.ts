/** `flotilla/app`: what an application imports to be served by the cluster. */
export type { FetchHandler } from "./fetch-handler.ts";
export { type Application, type Served, type ServeOptions, serve } from "./serve.ts";
