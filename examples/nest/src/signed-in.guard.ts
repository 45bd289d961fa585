import { type CanActivate, type ExecutionContext, Injectable } from "@nestjs/common";
import type { RequestWithSession } from "flotilla/session/nest";

@Injectable()
export class SignedIn implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToHttp().getRequest<RequestWithSession>().session.user !== undefined;
  }
}
