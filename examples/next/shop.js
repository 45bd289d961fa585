export const products = new Set(["anchor", "bell", "buoy", "compass", "lantern", "mug", "oilskin", "rope"]);

/** Two tabs may add something at the same time: update() loses neither. */
export async function added(session, product, quantity) {
  if (!products.has(product) || !Number.isInteger(quantity) || quantity < 1) {
    throw Object.assign(new Error("a product of the shop and a whole quantity, please"), { status: 400 });
  }
  await session.update("cart", (cart = {}) => ({ ...cart, [product]: (cart[product] ?? 0) + quantity }));
}

export function shown({ user = null, cart = {} } = {}) {
  return { user, cart, servedBy: `${process.env.FLOTILLA_SERVER ?? "alone"}/${process.pid}` };
}

/** A route handler that answers with JSON, also when it throws an error with a status, as update() does: 503 when nobody knows what became of it. */
export function json(handler) {
  return async (request) => {
    try {
      return Response.json(await handler(request));
    } catch (error) {
      if (error.status === undefined) throw error;
      return Response.json({ error: error.message }, { status: error.status });
    }
  };
}
