/** What an application declares once; the files beside use it in each framework. */
import "flotilla/session";

declare module "flotilla/session" {
  interface SessionData {
    user: string;
    cart: Record<string, number>;
  }
}
