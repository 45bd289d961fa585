/**
 * Every maximum of Flotilla, in one place: by subject in `limits/`, imported from here. A value that an operator may change is the
 * default of a row in the table of settings (config/settings.ts), which takes it from here; the others are fixed. Numbers
 * that belong to a format (the frames of the link, the form of an id) stand with it.
 */
export * from "./limits/processes.ts";
export * from "./limits/register.ts";
export * from "./limits/servers.ts";
export * from "./limits/sessions.ts";
export * from "./limits/stores.ts";
export * from "./limits/web.ts";
