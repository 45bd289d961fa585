import { getSession } from "flotilla/session/next";
import { redirect } from "next/navigation";
import { connection } from "next/server";
import { added, products } from "../shop.js";

async function add(form) {
  "use server";
  await added(getSession(), form.get("product"), 1);
  redirect("/");
}

export default async function Page() {
  // Rendered for each request, not ahead of time by `next build`.
  await connection();
  const session = getSession();
  // Rendering is part of the request: what it changes is committed before the page leaves.
  session.visits = (session.visits ?? 0) + 1;
  const { user = "nobody", cart = {} } = session;
  return (
    <main>
      <h1>Cart</h1>
      <p>{`Visits: ${session.visits}. Signed in: ${user}.`}</p>
      <ul>
        {Object.entries(cart).map(([product, quantity]) => (
          <li key={product}>{`${quantity} ${product}`}</li>
        ))}
      </ul>
      <form action={add}>
        {[...products].map((product) => (
          <button key={product} type="submit" name="product" value={product}>
            {`Add ${product}`}
          </button>
        ))}
      </form>
    </main>
  );
}
