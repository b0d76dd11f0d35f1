/**
 * What the environment says, read and checked once: everything that differs between two shops comes from here.
 */
import { Failure } from "./failure"

type Environment = Readonly<Record<string, string | undefined>>

export interface Settings {
  port: number
  database: { url: string; ssl: boolean }
  redisUrl?: string
  jwtSecret: string
  cookieSecret: string
  /** The shop's own address, without a slash at its end: what uploaded files are linked by. */
  url: string
  shop: {
    name: string
    currency: string
    region: string
    /** ISO 3166 alpha-2, lower case. */
    countries: string[]
    sampleProducts: boolean
  }
  admin: { email: string; password: string }
}

/** Raises Failure("configuration") with everything that is wrong, not only the first thing. Values are never quoted. */
export function readSettings(env: Environment): Settings {
  const wrong: string[] = []
  const text = (name: string, otherwise: string) => env[name]?.trim() || otherwise
  const required = (name: string) => {
    if (!env[name]) wrong.push(`${name} is not set`)
    return env[name] ?? ""
  }
  const flag = (name: string, otherwise: boolean) => {
    const value = text(name, String(otherwise)).toLowerCase()
    if (value !== "true" && value !== "false") wrong.push(`${name} is neither true nor false`)
    return value === "true"
  }
  const address = (name: string, value: string, protocols: string[]) => {
    if (!protocols.includes(URL.parse(value)?.protocol ?? "")) wrong.push(`${name} is not a URL of ${protocols.join(" ")}`)
    return value
  }

  const port = Number(text("PORT", "9000"))
  if (!Number.isInteger(port) || port < 1 || port > 65535) wrong.push("PORT is not a port number")
  const currency = text("STORE_CURRENCY", "eur").toLowerCase()
  if (!/^[a-z]{3}$/.test(currency)) wrong.push("STORE_CURRENCY is not a currency code of three letters")
  const countries = text("STORE_COUNTRIES", "de,fr,it,es").toLowerCase().split(/[\s,]+/).filter(Boolean)
  if (!countries.every((code) => /^[a-z]{2}$/.test(code))) wrong.push("STORE_COUNTRIES is not a list of country codes of two letters")
  const redisUrl = env.REDIS_URL?.trim() || undefined
  if (redisUrl) address("REDIS_URL", redisUrl, ["redis:", "rediss:"])
  const email = required("ADMIN_EMAIL").trim()
  if (email && !/^[^\s@]+@[^\s@]+$/.test(email)) wrong.push("ADMIN_EMAIL is not an e-mail address")

  const settings: Settings = {
    port,
    database: {
      url: address("DATABASE_URL", databaseUrl(env), ["postgres:", "postgresql:"]),
      ssl: flag("DATABASE_SSL", false),
    },
    redisUrl,
    jwtSecret: required("JWT_SECRET"),
    cookieSecret: required("COOKIE_SECRET"),
    url: address("STORE_URL", text("STORE_URL", `http://localhost:${port}`), ["http:", "https:"]).replace(/\/+$/, ""),
    shop: {
      name: text("STORE_NAME", "Medusa Store"),
      currency,
      region: text("STORE_REGION", "Europe"),
      countries: [...new Set(countries)],
      sampleProducts: flag("SAMPLE_PRODUCTS", true),
    },
    admin: { email, password: required("ADMIN_PASSWORD") },
  }
  if (wrong.length) throw new Failure("configuration", wrong.join("; "))
  return settings
}

/** DATABASE_URL, or its parts put together so that a password may hold any character. */
function databaseUrl(env: Environment): string {
  if (env.DATABASE_URL) return env.DATABASE_URL
  const part = (name: string, otherwise: string) => encodeURIComponent(env[name] || otherwise)
  const host = env.DATABASE_HOST || "localhost"
  return (
    `postgres://${part("DATABASE_USER", "medusa")}:${part("DATABASE_PASSWORD", "")}` +
    `@${host.includes(":") ? `[${host}]` : host}:${part("DATABASE_PORT", "5432")}/${part("DATABASE_NAME", "medusa")}`
  )
}

/** What must never be printed. */
export function secretsOf(env: Environment): string[] {
  const names = ["DATABASE_URL", "DATABASE_PASSWORD", "REDIS_URL", "JWT_SECRET", "COOKIE_SECRET", "ADMIN_PASSWORD"]
  const urls = [env.DATABASE_URL, env.REDIS_URL].map((url) => decoded(URL.parse(url ?? "")?.password ?? ""))
  // A "secret" of one or two letters would only make holes in every other word.
  return [...names.map((name) => env[name] ?? ""), ...urls].filter((secret) => secret.length > 2)
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
