import { Module } from "@nestjs/common";
import { ShopController } from "./shop.controller.ts";

@Module({ controllers: [ShopController] })
export class ShopModule {}
