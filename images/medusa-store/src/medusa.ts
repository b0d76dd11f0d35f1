/**
 * Medusa's server, loaded into this process: what its `start` command does, in two halves, so that the first can be
 * done while PostgreSQL is still starting.
 */
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import path from "node:path"
import { setImmediate as turn } from "node:timers/promises"
import express from "express"
import loaders, { initializeContainer } from "@medusajs/medusa/loaders/index"
import { container as framework } from "@medusajs/framework"
import { asValue } from "@medusajs/framework/awilix"
import { ContainerRegistrationKeys, ModulesSdkUtils } from "@medusajs/framework/utils"
import type { MedusaContainer } from "@medusajs/framework/types"
import type { RequestListener } from "node:http"
import type { Settings } from "./environment"

/**
 * Imports what the server will need, of which Medusa by itself would import half only with a database at hand. The
 * list was written down by a real start when the image was built (build/record.cjs) and is in the order of that start.
 */
export async function importModules(root: string): Promise<void> {
  await initializeContainer(root, { skipDbConnection: true })
  const list = await readFile(path.join(root, "modules.json"), "utf8").catch(() => "[]")
  const load = createRequire(path.join(root, "package.json"))
  let sliceEnds = Date.now() + 50
  for (const file of JSON.parse(list)) {
    load(path.join(root, file))
    if (Date.now() > sliceEnds) {
      await turn() // probes and the wait for the database have their turn
      sliceEnds = Date.now() + 50
    }
  }
  await import("@medusajs/core-flows")
}

export interface Medusa {
  container: MedusaContainer
  handle: RequestListener
  ping: () => Promise<unknown>
  shutdown: () => Promise<void>
}

/**
 * Builds the server on a database that answers. It may still be empty: no connection is handed out before `settled`,
 * which must not take longer than Medusa waits for one (a minute).
 */
export async function loadServer(root: string, database: Settings["database"], settled: Promise<void>): Promise<Medusa> {
  const connections = ModulesSdkUtils.createPgConnection({
    clientUrl: database.url,
    driverOptions: { connection: { ssl: database.ssl } },
    pool: {
      min: 2,
      max: 10,
      afterCreate: (connection: unknown, done: (error: unknown, connection?: unknown) => void) =>
        void settled.then(() => done(null, connection), done),
    },
  })
  // Medusa takes a connection that is there rather than make its own.
  framework.register({ [ContainerRegistrationKeys.PG_CONNECTION]: asValue(connections) })
  const app = express()
  const { container, shutdown } = await loaders({ directory: root, expressApp: app })
  return { container, handle: app, ping: async () => connections.raw("SELECT 1"), shutdown }
}
