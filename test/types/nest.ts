import { Controller, Get, Req, Session } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import type { Session as Data, RequestWithSession } from "flotilla/session/nest";
import { useSession } from "flotilla/session/nest";

@Controller()
class Shop {
  @Get()
  user(@Session() session: Data, @Req() req: RequestWithSession): string | undefined {
    // @ts-expect-error: it is a string.
    req.session.user = 1;
    return session.user;
  }
}

const app = await NestFactory.create(Shop);
await useSession(app, { idleTimeout: "1h" });
