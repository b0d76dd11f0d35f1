/**
 * The image's entrypoint; the one process of the container. Its words:
 *
 *   start    (default) everything: wait for the database, restore or migrate it, serve, seed, and be ready
 *   migrate  bring the database to this image's schema, and end
 *
 * A shop's start is what its owner waits for, so nothing in it waits for anything that it does not need: importing
 * Medusa (seconds of CPU) runs while PostgreSQL is still starting, and there is no second Node process.
 */
import { mkdir, writeFile } from "node:fs/promises"
import path from "node:path"
import { Database, ROOT } from "./database"
import { Door } from "./door"
import { readSettings, secretsOf } from "./environment"
import { during, Failure, oneLine, reasonOf, say, without } from "./failure"
import type { Settings } from "./environment"

async function start(settings: Settings): Promise<void> {
  const door = new Door()
  await during("configuration", () => door.listen(settings.port))

  const claiming = claimed(settings)
  const settling = claiming.then((database) => database.settle())
  const loader = await during("prepare", async () => {
    const medusa = await import("./medusa.js")
    await medusa.importModules(ROOT)
    return medusa
  })
  const database = await claiming
  // While the snapshot is restored, the server is built as far as it comes without a table to read.
  if (!database.restorable) await settling
  const [shop] = await Promise.all([during("prepare", () => loader.loadServer(ROOT, settings.database, settling)), settling])
  if (!database.prepared) {
    const { prepare } = await import("./prepare.js")
    await during("prepare", () => prepare(shop.container, settings))
    await database.markPrepared()
  }
  await database.close()

  stopping.cancel()
  onSignal(async () => {
    await door.close()
    await shop.shutdown()
    process.exit(0)
  })
  door.open(shop)
  serving = true
  say("shop prepared")
}

/**
 * Medusa's telemetry asks this file whether it is wanted, and where it finds none it announces itself and starts a sender
 * at exit, whatever the environment says.
 */
async function switchTelemetryOff(): Promise<void> {
  const folder = path.join(process.env.HOME ?? "/tmp", ".config/medusa")
  await mkdir(folder, { recursive: true })
  await writeFile(path.join(folder, "config.json"), JSON.stringify({ telemetry: { enabled: false } }))
}

async function claimed(settings: Settings): Promise<Database> {
  const database = await Database.connect(settings)
  await database.claim()
  return database
}

async function migrate(settings: Settings): Promise<void> {
  const database = await claimed(settings)
  await database.settle()
  await database.close()
}

/** As process 1 a signal without a handler is ignored, so there always is one. */
function onSignal(handle: () => Promise<void>): { cancel: () => void } {
  const signals = ["SIGTERM", "SIGINT"] as const
  const listener = () => void handle().catch(fail)
  for (const signal of signals) process.once(signal, listener)
  return { cancel: () => signals.forEach((signal) => process.removeListener(signal, listener)) }
}

function fail(error: unknown): never {
  const secrets = secretsOf(process.env)
  const [stage, cause] = error instanceof Failure ? [error.stage, error.cause] : ["prepare", error]
  if (cause instanceof Error && cause.stack) console.error(without(secrets, cause.stack))
  say(`failed: ${stage}: ${oneLine(without(secrets, reasonOf(error)))}`)
  process.exit(1)
}

// Once it serves, an error in some background work of Medusa's must not end everybody's shop (nor does Medusa's own
// command end for it).
let serving = false
process.on("uncaughtException", (error) => (serving ? console.error(error) : fail(error)))

const stopping = onSignal(async () => process.exit(143))
const words: Record<string, (settings: Settings) => Promise<void>> = { start, migrate }
const word = process.argv[2] ?? "start"
const run = words[word] ?? (() => Promise.reject(new Failure("configuration", `unknown word, know ${Object.keys(words).join(", ")}`)))
Promise.resolve()
  .then(async () => {
    const settings = readSettings(process.env)
    await during("configuration", switchTelemetryOff)
    await run(settings)
  })
  .catch(fail)
