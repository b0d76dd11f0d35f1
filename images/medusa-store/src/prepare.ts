/**
 * What a new shop starts with: its name and currency, a region, a few products, and its owner's sign-in. (The store, the
 * sales channel and the publishable key are there already: Medusa's server makes them when it finds none.) Each part
 * looks first whether it is there, so that a start that was cut off can be finished by the next. Runs once a shop: what
 * the owner changes or deletes later stays so.
 */
import { Modules, ProductStatus } from "@medusajs/framework/utils"
import {
  createProductsWorkflow,
  createRegionsWorkflow,
  createShippingProfilesWorkflow,
  createUsersWorkflow,
  updateStoresWorkflow,
} from "@medusajs/medusa/core-flows"
import { SAMPLES } from "./storefront/samples"
import type { MedusaContainer } from "@medusajs/framework/types"
import type { Settings } from "./environment"

export async function prepare(container: MedusaContainer, { shop, admin }: Settings): Promise<void> {
  await Promise.all([
    administrator(container, admin),
    region(container, shop),
    shop.sampleProducts ? products(container, shop.currency) : undefined,
  ])
}

async function administrator(container: MedusaContainer, { email, password }: Settings["admin"]): Promise<void> {
  const auth = container.resolve(Modules.AUTH)
  const identify = async () => {
    const [known] = await auth.listProviderIdentities({ entity_id: email, provider: "emailpass" })
    if (known?.auth_identity_id) return known.auth_identity_id
    const { authIdentity, error } = await auth.register("emailpass", { body: { email, password } })
    if (!authIdentity) throw new Error(`no sign-in for the administrator: ${error}`)
    return authIdentity.id
  }
  const register = async () => {
    const [known] = await container.resolve(Modules.USER).listUsers({ email })
    return known ?? (await createUsersWorkflow(container).run({ input: { users: [{ email }] } })).result[0]
  }
  const [identity, user] = await Promise.all([identify(), register()])
  await auth.updateAuthIdentities({ id: identity, app_metadata: { user_id: user.id } })
}

async function region(container: MedusaContainer, shop: Settings["shop"]): Promise<void> {
  const [[known], [store]] = await Promise.all([
    container.resolve(Modules.REGION).listRegions({}, { take: 1 }),
    container.resolve(Modules.STORE).listStores({}, { take: 1 }),
  ])
  const { name, currency, countries } = shop
  const make = async () => {
    const region = { name: shop.region, currency_code: currency, countries, payment_providers: ["pp_system_default"] }
    return (await createRegionsWorkflow(container).run({ input: { regions: [region] } })).result[0]
  }
  const { id } = known ?? (await make())
  await updateStoresWorkflow(container).run({
    input: {
      selector: { id: store.id },
      update: { name, supported_currencies: [{ currency_code: currency, is_default: true }], default_region_id: id },
    },
  })
}

async function products(container: MedusaContainer, currency: string): Promise<void> {
  const [[known], [store], [found]] = await Promise.all([
    container.resolve(Modules.PRODUCT).listProducts({}, { take: 1 }),
    container.resolve(Modules.STORE).listStores({}, { take: 1 }),
    container.resolve(Modules.FULFILLMENT).listShippingProfiles({ type: "default" }, { take: 1 }),
  ])
  if (known) return
  const profile =
    found ??
    (await createShippingProfilesWorkflow(container).run({ input: { data: [{ name: "Default", type: "default" }] } })).result[0]
  const products = SAMPLES.map(({ handle, title, description, price }) => ({
    title,
    handle,
    description,
    thumbnail: `/pictures/${handle}`,
    status: ProductStatus.PUBLISHED,
    shipping_profile_id: profile.id,
    sales_channels: store.default_sales_channel_id ? [{ id: store.default_sales_channel_id }] : [],
    options: [{ title: "Size", values: ["One size"] }],
    variants: [
      {
        title: "One size",
        sku: handle.toUpperCase(),
        options: { Size: "One size" },
        manage_inventory: false,
        prices: [{ amount: price, currency_code: currency }],
      },
    ],
  }))
  await createProductsWorkflow(container).run({ input: { products } })
}
