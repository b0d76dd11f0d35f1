/**
 * The front page as HTML: one page without scripts and without anything from elsewhere. Everything that comes from the
 * database goes through `escape`, and the content security policy would stop what slipped through.
 */
import { createHash } from "node:crypto"

export interface Product {
  id: string
  title: string
  description?: string | null
  thumbnail?: string | null
  /** Of its variants, in whole units of the currency. */
  prices: number[]
}

export interface Front {
  name: string
  currency?: string
  products: Product[]
}

const STYLE = `
:root { color-scheme: light dark; --paper: #faf9f6; --card: #fff; --ink: #1c1b19; --soft: #6a665f; --line: #e8e4dc; --accent: #8a4b2a; --blank: #efe9df }
@media (prefers-color-scheme: dark) {
  :root { --paper: #141312; --card: #1d1b19; --ink: #f1ede6; --soft: #a9a297; --line: #322e2a; --accent: #e0a27f; --blank: #2a2622 }
}
* { box-sizing: border-box; margin: 0 }
body { min-height: 100vh; display: flex; flex-direction: column; background: var(--paper); color: var(--ink); font: 16px/1.55 ui-sans-serif, system-ui, sans-serif }
header, main, footer { width: 100%; max-width: 72rem; margin: 0 auto; padding: 0 clamp(1rem, 4vw, 2.5rem) }
header { padding-top: clamp(2rem, 6vw, 4rem); padding-bottom: clamp(1.5rem, 4vw, 2.5rem) }
h1 { font: 600 clamp(1.9rem, 5vw, 3rem)/1.1 ui-serif, Georgia, serif; letter-spacing: -.02em; overflow-wrap: anywhere }
header p { margin-top: .6rem; color: var(--soft) }
main { flex: 1 }
ul { list-style: none; padding: 0; display: grid; gap: clamp(1rem, 2.5vw, 1.75rem); grid-template-columns: repeat(auto-fill, minmax(min(100%, 14rem), 1fr)) }
li { display: flex; flex-direction: column; background: var(--card); border: 1px solid var(--line); border-radius: 14px; overflow: hidden }
.picture { display: grid; place-items: center; width: 100%; aspect-ratio: 4 / 3; object-fit: cover; background: var(--blank); color: var(--soft); font: 600 3.5rem/1 ui-serif, Georgia, serif }
.about { display: flex; flex-direction: column; flex: 1; gap: .35rem; padding: 1rem 1.1rem 1.15rem }
h2 { font-size: 1.05rem; font-weight: 600; overflow-wrap: anywhere }
.about p { color: var(--soft); font-size: .94rem; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 3; overflow: hidden }
.about .price { margin-top: auto; padding-top: .5rem; font-weight: 600; font-size: 1rem; color: var(--accent); font-variant-numeric: tabular-nums }
.empty { padding: clamp(3rem, 10vw, 6rem) 1rem; text-align: center; border: 1px dashed var(--line); border-radius: 14px; color: var(--soft) }
.empty strong { display: block; margin-bottom: .3rem; color: var(--ink); font: 600 1.4rem/1.3 ui-serif, Georgia, serif }
footer { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .5rem 1.5rem; padding-top: 3rem; padding-bottom: 2rem; color: var(--soft); font-size: .88rem }
a { color: inherit; text-underline-offset: .2em } a:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px }
`

const styleHash = createHash("sha256").update(STYLE).digest("base64")
export const CONTENT_SECURITY_POLICY =
  `default-src 'none'; style-src 'sha256-${styleHash}'; img-src 'self' https: http: data:; ` +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

export function page({ name, currency, products }: Front): string {
  const shelf = products.length
    ? `<ul>${products.map((product) => card(product, currency)).join("")}</ul>`
    : `<div class="empty"><strong>The shelves are still empty</strong>New products will be here soon.</div>`
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(name)}</title><link rel="icon" href="data:,"><style>${STYLE}</style></head>
<body>
<header><h1>${escape(name)}</h1>${products.length ? `<p>${count(products.length)}</p>` : ""}</header>
<main>${shelf}</main>
<footer><span>${escape(name)}</span><a href="/app" rel="nofollow">Shop owner</a></footer>
</body>
</html>
`
}

function card({ id, title, description, thumbnail, prices }: Product, currency?: string): string {
  const picture = isPicture(thumbnail)
    ? `<img class="picture" src="${escape(thumbnail)}" alt="" loading="lazy" width="400" height="300">`
    : `<div class="picture" aria-hidden="true">${escape([...title][0] ?? "")}</div>`
  const about = description ? `<p>${escape(description)}</p>` : ""
  return `<li data-product="${escape(id)}">${picture}<div class="about"><h2>${escape(title)}</h2>${about}${price(prices, currency)}</div></li>`
}

function price(prices: number[], currency?: string): string {
  if (!prices.length || !currency) return ""
  const lowest = Math.min(...prices)
  const money = new Intl.NumberFormat("en", { style: "currency", currency }).format(lowest)
  return `<p class="price">${lowest < Math.max(...prices) ? "from " : ""}${escape(money)}</p>`
}

function count(products: number): string {
  return products === 1 ? "One product" : `${products} products`
}

/** An address on the web or in this shop; nothing else is worth a request. */
function isPicture(address: string | null | undefined): address is string {
  return /^(https?:\/\/|\/(?!\/))/i.test(address ?? "")
}

export function escape(text: string): string {
  const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" }
  return text.replace(/[&<>"']/g, (letter) => ENTITIES[letter])
}
