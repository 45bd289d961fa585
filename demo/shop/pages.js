// The pages. Each function returns `{ title, body }`; `document` puts the frame around it.
import { countOf, linesOf, quantityMax, totalOf } from "./cart.js";
import { html } from "./html.js";
import { products } from "./products.js";

const euros = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" });
const price = (cents) => euros.format(cents / 100);
const pieces = (count) => (count === 1 ? "1 piece" : `${count} pieces`);

export function document(page, visit) {
  const count = countOf(visit.cart);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${page.title} - Harbour Supply</title>
<link rel="stylesheet" href="/shop.css">
<link rel="icon" href="/favicon.svg">
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="top">
  <div class="bar">
    <a class="brand" href="/">${mark}<span>Harbour Supply</span></a>
    <nav aria-label="Shop">
      ${visit.name ? greeting(visit.name) : html`<a href="/login">Sign in</a>`}
      <a class="cart" href="/cart" data-count="${count}">Cart <span class="badge">${count}</span></a>
    </nav>
  </div>
</header>
<main id="content">
${page.body}
</main>
<footer>
  <div class="bar about">
    <p>Harbour Supply is the demo of Flotilla: nothing is really sold here.</p>
    <dl>
      <div><dt>Served by</dt><dd>${visit.servedBy}</dd></div>
      <div><dt>Request</dt><dd>${visit.requestId}</dd></div>
      <div><dt>Session</dt><dd>${visit.letters ? `starts with ${visit.letters}` : "none yet"}</dd></div>
    </dl>
  </div>
</footer>
</body>
</html>
`.toString();
}

const mark = html`<svg viewBox="0 0 32 32" width="32" height="32" aria-hidden="true"><path d="M15 3v17H5z" fill="#f4b860"/><path d="M17 8v12h9z" fill="#fff"/><path d="M3 22h26l-4 6H7z" fill="#fff"/></svg>`;

function greeting(name) {
  return html`<form class="inline" method="post" action="/logout"><span class="who" data-name="${name}">Ahoy, ${name}</span> <button class="link">Sign out</button></form>`;
}

export function home() {
  const cards = [...products.values()].map(
    (product) => html`
  <li class="card">
    <a class="picture" href="/products/${product.id}" tabindex="-1" aria-hidden="true">${product.picture}</a>
    <h2><a href="/products/${product.id}">${product.name}</a></h2>
    <p>${product.summary}</p>
    <div class="buy">
      <span class="price">${price(product.cents)}</span>
      <form method="post" action="/cart/add">
        <input type="hidden" name="product" value="${product.id}">
        <button aria-label="Add ${product.name} to the cart">Add to cart</button>
      </form>
    </div>
  </li>`,
  );
  return {
    title: "Good things for the sea",
    body: html`<section class="hero"><h1>Good things for the sea</h1><p class="tagline">Plain, sturdy and made to be repaired.</p></section>
<ul class="grid">${cards}</ul>`,
  };
}

export function product(item) {
  return {
    title: item.name,
    body: html`<p class="crumbs"><a href="/">All products</a></p>
<article class="product">
  <div class="picture">${item.picture}</div>
  <div>
    <h1>${item.name}</h1>
    <p class="price large">${price(item.cents)}</p>
    <p>${item.summary} ${item.story}</p>
    <form class="row" method="post" action="/cart/add">
      <input type="hidden" name="product" value="${item.id}">
      <label>Quantity <input type="number" name="quantity" value="1" min="1" max="${quantityMax}" required></label>
      <button>Add to cart</button>
    </form>
    <p><a href="/products/${item.id}/stock">Is it in stock?</a></p>
  </div>
</article>`,
  };
}

export function stock(item, count) {
  return {
    title: `${item.name}: in stock`,
    body: html`<h1>${item.name}</h1><div class="panel"><p>The warehouse has ${pieces(count)} of it.</p><p><a class="button" href="/products/${item.id}">Back to it</a></p></div>`,
  };
}

export function cart(contents) {
  const lines = linesOf(contents);
  if (lines.length === 0) {
    return {
      title: "Your cart",
      body: html`<h1>Your cart</h1><div class="panel" data-cart><p>It is empty.</p><p><a class="button" href="/">Look around</a></p></div>`,
    };
  }
  return {
    title: "Your cart",
    body: html`<h1>Your cart</h1>
<ul class="lines panel" data-cart>${lines.map(cartLine)}
  <li class="total"><span>Total</span><strong data-total="${totalOf(contents)}">${price(totalOf(contents))}</strong></li>
</ul>
<p class="actions"><a href="/">Go on shopping</a> <a class="button" href="/checkout">Check out</a></p>`,
  };
}

function cartLine({ product, quantity, cents }) {
  return html`
  <li data-product="${product.id}" data-quantity="${quantity}">
    <div class="thumb">${product.picture}</div>
    <div class="what"><a href="/products/${product.id}">${product.name}</a><span>${price(product.cents)} each</span></div>
    <form class="row" method="post" action="/cart/update">
      <input type="hidden" name="product" value="${product.id}">
      <input type="number" name="quantity" value="${quantity}" min="0" max="${quantityMax}" required aria-label="Quantity of ${product.name}">
      <button class="quiet" aria-label="Update the quantity of ${product.name}">Update</button>
    </form>
    <span class="price">${price(cents)}</span>
    <form method="post" action="/cart/remove">
      <input type="hidden" name="product" value="${product.id}">
      <button class="link" aria-label="Remove ${product.name}">Remove</button>
    </form>
  </li>`;
}

export function checkout(contents, name = "", address = "", mistake = "") {
  const lines = linesOf(contents);
  return {
    title: "Check out",
    body: html`<h1>Check out</h1>
<div class="two">
  <form class="panel fields" method="post" action="/checkout">
    ${mistake && html`<p class="mistake" role="alert">${mistake}</p>`}
    <label for="name">Name</label>
    <input id="name" name="name" autocomplete="name" maxlength="200" value="${name}" required>
    <label for="address">Address</label>
    <textarea id="address" name="address" rows="4" autocomplete="street-address" maxlength="200" required>${address}</textarea>
    <button>Place the order</button>
  </form>
  <section class="panel" aria-label="Your order">
    <ul class="summary">${lines.map(({ product, quantity, cents }) => html`<li><span>${quantity} x ${product.name}</span><span>${price(cents)}</span></li>`)}
      <li class="total"><span>Total</span><strong>${price(totalOf(contents))}</strong></li>
    </ul>
  </section>
</div>`,
  };
}

export function thanks(order) {
  return {
    title: "Thank you",
    body: html`<h1>Thank you, ${order.name}</h1>
<div class="panel"><p>Your order of ${pieces(order.count)} for ${price(order.cents)} would now sail to:</p>
<p class="address">${order.address}</p>
<p><a class="button" href="/">Back to the shop</a></p></div>`,
  };
}

export function login(mistake = "") {
  return {
    title: "Sign in",
    body: html`<h1>Sign in</h1>
<form class="panel fields narrow" method="post" action="/login">
  ${mistake && html`<p class="mistake" role="alert">${mistake}</p>`}
  <label for="name">Your name</label>
  <input id="name" name="name" autocomplete="username" maxlength="200" required>
  <button>Sign in</button>
  <p class="hint">No password: this is a demo.</p>
</form>`,
  };
}

export function problem(title, text) {
  return {
    title,
    body: html`<h1>${title}</h1><div class="panel"><p>${text}</p><p><a class="button" href="/">To the shop</a></p></div>`,
  };
}
