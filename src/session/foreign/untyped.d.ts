/** A package whose types the site may have or not; `express-session.ts` needs one class of it. */
declare module "express-session";
