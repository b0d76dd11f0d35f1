/**
 * The shop's database, from "not there yet" to "as this image wants it".
 *
 * A table of ours, `storefleet_shop`, holds one row: the digest of the image that last migrated the database, and when
 * the shop was prepared. One query on it tells an ordinary start that there is nothing to do. Everything else happens
 * under one advisory lock, which PostgreSQL itself gives up when its holder is gone: two pods never work at once, and
 * a crashed one never leaves the shop locked. What a cut-off start has left behind, the next one finishes.
 */
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { Client } from "@medusajs/framework/pg"
import { during, Failure, reasonOf, say } from "./failure"
import { withFreshIds } from "./ids"
import type { Settings } from "./environment"

/** The compiled application: node_modules, medusa-config.js and the snapshot are in it. */
export const ROOT = path.resolve(__dirname, "..")
const SNAPSHOT = path.join(ROOT, "snapshot.sql")
/** Medusa's Redis modules bring migrations beside those of the modules that they replace. */
const WITH_REDIS = "+redis"
const LOCK = 0x53544f5245 // "STORE"
const CONNECT_LIMIT_MS = 3_000
const SAY_EVERY_MS = 10_000

/** PostgreSQL is not there, is starting or stopping, or has no room: worth another try. Anything else is not. */
const PASSING = new Set([
  ...["ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT", "EPIPE", "ENOTFOUND", "EAI_AGAIN"],
  ...["57P01", "57P02", "57P03", "53300", "08000", "08001", "08003", "08004", "08006"],
])
const PASSING_MESSAGE = /timeout|terminated|ended unexpectedly/i

interface Shop {
  empty: boolean
  schema?: string
  prepared: boolean
}

export class Database {
  private wanted = ""
  /** Only of an empty database. The build has none yet when it makes it, and migrates. */
  private snapshot?: string

  private constructor(
    private readonly client: Client,
    private shop: Shop,
    private readonly redis: boolean
  ) {}

  /** Waits for PostgreSQL for as long as it takes (whoever started the process bounds it), saying so now and then. */
  static async connect({ database: settings, redisUrl }: Settings): Promise<Database> {
    const begun = Date.now()
    let said = begun
    for (;;) {
      const client = new Client({
        connectionString: settings.url,
        ssl: settings.ssl,
        connectionTimeoutMillis: CONNECT_LIMIT_MS,
        keepAlive: true,
      })
      // Without a listener, a lost connection would be an uncaught exception; the query that it cuts off rejects.
      client.on("error", () => undefined)
      try {
        await client.connect()
        return new Database(client, await look(client), Boolean(redisUrl))
      } catch (error) {
        await client.end().catch(() => undefined)
        if (!isPassing(error)) throw new Failure("database", reasonOf(error))
        if (Date.now() - said >= SAY_EVERY_MS) {
          said = Date.now()
          say(`waiting for the database since ${Math.round((said - begun) / 1000)} s: ${reasonOf(error)}`)
        }
        await sleep(Date.now() - begun < 60_000 ? 50 : 1_000)
      }
    }
  }

  get prepared(): boolean {
    return this.shop.prepared
  }

  /** The next `settle` only restores the snapshot, which is a matter of a second and not of minutes. */
  get restorable(): boolean {
    return this.shop.empty && this.snapshot !== undefined
  }

  /** Takes the lock, unless there is nothing to do. It is held until `close`. */
  async claim(): Promise<void> {
    this.wanted = (await digest()) + (this.redis ? WITH_REDIS : "")
    if (this.settled && this.prepared) return
    await during("database", async () => {
      await this.lock()
      this.shop = await look(this.client) // what another pod has done in the meantime
    })
    if (this.shop.empty) this.snapshot = await readFile(SNAPSHOT, "utf8").catch(() => undefined)
  }

  /** Makes the schema what the image's code expects. */
  async settle(): Promise<void> {
    if (this.restorable) await during("database", () => this.restore(this.snapshot!))
    if (this.settled) return
    await during("migration", migrate)
    await during("database", () => this.mark("schema_digest", this.wanted))
    say("database migrated")
  }

  async markPrepared(): Promise<void> {
    await during("database", () => this.mark("prepared_at", new Date()))
  }

  /** Ends the connection and with it the lock. */
  async close(): Promise<void> {
    await this.client.end()
  }

  private async lock(): Promise<void> {
    const begun = Date.now()
    const waiting = setInterval(() => {
      say(`waiting since ${Math.round((Date.now() - begun) / 1000)} s for another pod that prepares the database`)
    }, SAY_EVERY_MS)
    try {
      await this.client.query("SELECT pg_advisory_lock($1)", [LOCK])
    } finally {
      clearInterval(waiting)
    }
  }

  private get settled(): boolean {
    return this.shop.schema === this.wanted || this.shop.schema === this.wanted + WITH_REDIS
  }

  private async restore(snapshot: string): Promise<void> {
    try {
      await this.client.query(`BEGIN; ${withFreshIds(snapshot)}; COMMIT`)
    } catch (error) {
      await this.client.query("ROLLBACK").catch(() => undefined)
      throw error
    }
    this.shop = await look(this.client)
    say(`database restored from the ${await version()} snapshot`)
  }

  private async mark(column: "schema_digest" | "prepared_at", value: string | Date): Promise<void> {
    await this.client.query(
      `CREATE TABLE IF NOT EXISTS public.storefleet_shop (
         one boolean PRIMARY KEY DEFAULT true CHECK (one), schema_digest text, prepared_at timestamptz)`
    )
    await this.client.query(
      `INSERT INTO public.storefleet_shop (${column}) VALUES ($1) ON CONFLICT (one) DO UPDATE SET ${column} = $1`,
      [value]
    )
    this.shop = await look(this.client)
  }
}

async function look(client: Client): Promise<Shop> {
  const { rows } = await client.query(
    `SELECT to_regclass('public.storefleet_shop') IS NOT NULL AS ours,
            NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')) AS empty`
  )
  const { ours, empty } = rows[0]
  if (!ours) return { empty, prepared: false }
  const shop = (await client.query("SELECT schema_digest, prepared_at FROM public.storefleet_shop")).rows[0]
  return { empty, schema: shop?.schema_digest, prepared: Boolean(shop?.prepared_at) }
}

function isPassing(error: unknown): boolean {
  const { code, message = "" } = (error instanceof AggregateError ? (error.errors[0] ?? error) : error) as NodeJS.ErrnoException
  return code ? PASSING.has(code) : PASSING_MESSAGE.test(message)
}

/** The lock file names every package that could bring a migration, so its digest stands for the schema. */
async function digest(): Promise<string> {
  return createHash("sha256").update(await readFile(path.join(ROOT, "package-lock.json"))).digest("hex")
}

async function version(): Promise<string> {
  return JSON.parse(await readFile(path.join(ROOT, "package.json"), "utf8")).version
}

/**
 * Medusa's own command, in a process of its own. The two options answer the questions that it would otherwise ask, and
 * wait for ever where there is nobody to answer.
 */
async function migrate(): Promise<void> {
  const cli = path.join(ROOT, "node_modules/@medusajs/cli/cli.js")
  const child = spawn(process.execPath, [cli, "db:migrate", "--execute-all-links", "--execute-safe-search"], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
  })
  const end = () => void child.kill()
  process.once("exit", end)
  let lastError = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      process.stdout.write(text)
      lastError = text.split("\n").findLast((line) => /error/i.test(line)) ?? lastError
    })
  }
  const status = await new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve))
  process.removeListener("exit", end)
  if (status !== 0) throw new Error(`medusa db:migrate ended with status ${status}: ${messageOf(lastError)}`)
}

/** Medusa's log lines are JSON, with a stack that no one-line reason has room for. */
function messageOf(line: string): string {
  try {
    return JSON.parse(line).message
  } catch {
    return line
  }
}
