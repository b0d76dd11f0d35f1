/**
 * node visit.mjs URL: a visitor and an owner come to a shop that has just been started with the sample products. Ends
 * with a status other than 0 where one of them does not get what they came for.
 */
import assert from "node:assert/strict"
import { setTimeout as sleep } from "node:timers/promises"

const shop = process.argv[2]
const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password } = process.env

async function get(path, headers = {}, init = {}) {
  const response = await fetch(shop + path, { ...init, headers })
  assert.equal(response.status, 200, `${path} answered ${response.status}`)
  return response
}

const until = Date.now() + 90_000
for (;;) {
  const ready = await fetch(`${shop}/ready`).catch(() => undefined)
  if (ready?.ok) break
  assert.ok(Date.now() < until, "the shop was not ready in 90 s")
  await sleep(100)
}

await get("/health")
const front = await (await get("/")).text()
assert.match(front, /data-product="prod_.*class="price">/s)
await get(front.match(/<img class="picture" src="([^"]+)"/)[1])
assert.match(await (await get("/app/")).text(), /<div id="medusa">|<script/)

const body = JSON.stringify({ email, password })
const { token } = await (await get("/auth/user/emailpass", { "content-type": "application/json" }, { method: "POST", body })).json()
const owner = { authorization: `Bearer ${token}` }
const { api_keys: keys } = await (await get("/admin/api-keys?type=publishable", owner)).json()
assert.equal(keys.length, 1)
await get("/admin/orders", owner)

const visitor = { "x-publishable-api-key": keys[0].token }
const { regions } = await (await get("/store/regions", visitor)).json()
const { products } = await (
  await get(`/store/products?region_id=${regions[0].id}&fields=*variants.calculated_price`, visitor)
).json()
assert.ok(products.length > 0 && products.every(({ variants }) => variants[0].calculated_price.calculated_amount > 0))
console.log(`visited: ${products.length} products with prices, owner signed in`)
