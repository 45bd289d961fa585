// biome-ignore-all lint/correctness/noUnresolvedImports: they are resolved at run time.
/** Packages of the trace tests that bring no types of their own. */
declare module "body-parser";
declare module "compression";
declare module "express4";
declare module "koa";
declare module "multer";
declare module "passport";
declare module "passport-local";
