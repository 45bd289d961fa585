// A cart in Nest. Decorators need a compiler: `npm run build` is tsc.
import "reflect-metadata";
import { NestFactory } from "@nestjs/core";
import { serve } from "flotilla/app";
import { useSession } from "flotilla/session/nest";
import { ShopModule } from "./shop.module.ts";

const app = await NestFactory.create(ShopModule, { logger: ["error", "warn"] });
await useSession(app);
await app.init();
await serve(app.getHttpServer());
