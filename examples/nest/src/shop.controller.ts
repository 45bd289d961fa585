import {
  BadRequestException,
  Body,
  Controller,
  Get,
  HttpCode,
  Post,
  Req,
  Session,
  UseGuards,
} from "@nestjs/common";
import type { RequestWithSession, Session as ShopSession } from "flotilla/session/nest";
import { SignedIn } from "./signed-in.guard.ts";

declare module "flotilla/session" {
  interface SessionData {
    visits: number;
    user: string;
    cart: Record<string, number>;
  }
}

interface Item {
  readonly product?: string;
  readonly quantity?: number;
}

const products = new Set(["anchor", "bell", "buoy", "compass", "lantern", "mug", "oilskin", "rope"]);

@Controller()
export class ShopController {
  @Get()
  home(@Session() session: ShopSession) {
    session.visits = (session.visits ?? 0) + 1;
    return { visits: session.visits, ...shown(session) };
  }

  @Get("cart")
  cart(@Session() session: ShopSession) {
    return shown(session);
  }

  /** Two tabs may add something at the same time: update() loses neither. */
  @Post("cart")
  @HttpCode(200)
  async add(@Session() session: ShopSession, @Body() { product = "", quantity = 1 }: Item) {
    if (!products.has(product) || !Number.isInteger(quantity) || quantity < 1) {
      throw new BadRequestException("a product of the shop and a whole quantity, please");
    }
    await session.update("cart", (cart = {}) => ({ ...cart, [product]: (cart[product] ?? 0) + quantity }));
    return shown(session);
  }

  @Post("order")
  @HttpCode(200)
  order(@Session() session: ShopSession) {
    const { cart = {} } = session;
    session.cart = {};
    return { ordered: cart };
  }

  /** A new id at sign-in: one that was known before it is worth nothing. The cart comes along. */
  @Post("sign-in")
  @HttpCode(200)
  async signIn(@Req() req: RequestWithSession, @Body("name") name: string) {
    const { cart = {} } = req.session;
    await req.session.regenerate();
    Object.assign(req.session, { user: String(name), cart });
    return shown(req.session);
  }

  @Get("account")
  @UseGuards(SignedIn)
  account(@Session() { user }: ShopSession) {
    return { user };
  }

  @Post("sign-out")
  @HttpCode(200)
  async signOut(@Session() session: ShopSession) {
    await session.destroy();
    return shown({});
  }
}

function shown({ user, cart = {} }: Partial<ShopSession>) {
  const servedBy = `${process.env.FLOTILLA_SERVER ?? "alone"}/${process.pid}`;
  return { user: user ?? null, cart, servedBy };
}
