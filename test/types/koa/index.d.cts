/** The parts of @types/koa that an application's session touches, in its shape. */
declare class Application<StateT = object, ContextT = Application.DefaultContext> {
  use<NewStateT = object, NewContextT = object>(
    middleware: (
      context: Application.ParameterizedContext<StateT & NewStateT, ContextT & NewContextT>,
      next: () => Promise<unknown>,
    ) => unknown,
  ): Application<StateT & NewStateT, ContextT & NewContextT>;
}

declare namespace Application {
  interface DefaultContext {
    // biome-ignore lint/suspicious/noExplicitAny: as there.
    [key: PropertyKey]: any;
  }

  interface ExtendableContext {
    app: { context: object };
    req: import("node:http").IncomingMessage;
    res: import("node:http").ServerResponse;
    secure: boolean;
    respond?: boolean;
  }

  type ParameterizedContext<StateT, ContextT> = ExtendableContext & { state: StateT } & ContextT & {
      body: unknown;
    };
}

export = Application;
