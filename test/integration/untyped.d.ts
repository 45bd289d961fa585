// biome-ignore-all lint/correctness/noUnresolvedImports: they are resolved at run time.
/** Stores of express-session that bring no types of their own. */
declare module "connect-pg-simple";
declare module "express-mysql-session";
