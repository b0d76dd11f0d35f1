/** GET /: the shop's front page, from the same data that the Store API serves. */
import { ContainerRegistrationKeys, Modules, QueryContext } from "@medusajs/framework/utils"
import { CONTENT_SECURITY_POLICY, page } from "../storefront/page"
import type { MedusaRequest, MedusaResponse } from "@medusajs/framework/http"

const SHOWN = 60

export async function GET(request: MedusaRequest, response: MedusaResponse): Promise<void> {
  const query = request.scope.resolve(ContainerRegistrationKeys.QUERY)
  const [[store], regions] = await Promise.all([
    request.scope.resolve(Modules.STORE).listStores({}, { take: 1 }),
    request.scope.resolve(Modules.REGION).listRegions({}),
  ])
  const region = regions.find(({ id }) => id === store?.default_region_id) ?? regions[0]
  const { data: products } = await query.graph({
    entity: "product",
    fields: ["id", "title", "description", "thumbnail", "sales_channels.id", ...(region ? ["variants.calculated_price.*"] : [])],
    filters: { status: "published" },
    pagination: { take: SHOWN, order: { created_at: "DESC", title: "ASC" } },
    ...(region && {
      context: {
        variants: { calculated_price: QueryContext({ region_id: region.id, currency_code: region.currency_code }) },
      },
    }),
  })

  const channel = store?.default_sales_channel_id
  const html = page({
    name: store?.name || "Shop",
    currency: region?.currency_code,
    products: products
      .filter(({ sales_channels: channels }) => !channel || channels?.some((one: { id: string } | null) => one?.id === channel))
      .map(({ id, title, description, thumbnail, variants }) => ({ id, title, description, thumbnail, prices: prices(variants) })),
  })
  response
    .status(200)
    .set({
      "cache-control": "no-cache",
      "content-security-policy": CONTENT_SECURITY_POLICY,
      "referrer-policy": "strict-origin-when-cross-origin",
      "x-content-type-options": "nosniff",
    })
    .type("html")
    .send(html)
}

/** The calculated price is not part of the variant's own type: it is there because the query asked for it. */
function prices(variants: unknown): number[] {
  const priced = (variants ?? []) as { calculated_price?: { calculated_amount?: number | null } }[]
  return priced.map((one) => one.calculated_price?.calculated_amount).filter((amount) => typeof amount === "number")
}
