/** Folders of examples/: for the command line, which is read before anything else is loaded. */
export const exampleNames: readonly string[] = ["express", "fastify", "hono", "http", "koa", "nest", "next"];
