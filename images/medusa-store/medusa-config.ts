/**
 * Medusa's configuration, all of it from the environment. Without Redis, Medusa keeps events, cache, locks, workflows
 * and sessions in the memory of the one process, so that exactly one replica is right; with it, any number is.
 */
import { defineConfig } from "@medusajs/framework/utils"
import { readSettings } from "./src/environment"

const settings = readSettings(process.env)
const { redisUrl } = settings

const redisModules = redisUrl
  ? [
      { resolve: "@medusajs/medusa/event-bus-redis", options: { redisUrl } },
      { resolve: "@medusajs/medusa/cache-redis", options: { redisUrl } },
      { resolve: "@medusajs/medusa/workflow-engine-redis", options: { redis: { redisUrl } } },
      {
        resolve: "@medusajs/medusa/locking",
        options: {
          providers: [
            { resolve: "@medusajs/medusa/locking-redis", id: "locking-redis", is_default: true, options: { redisUrl } },
          ],
        },
      },
    ]
  : []

export default defineConfig({
  projectConfig: {
    databaseUrl: settings.database.url,
    databaseDriverOptions: { connection: { ssl: settings.database.ssl && { rejectUnauthorized: true } } },
    redisUrl,
    // "auto": the admin's session cookie is Secure where the request came by HTTPS (X-Forwarded-Proto counts) and
    // still works over plain HTTP, where Medusa's own default would silently send none.
    cookieOptions: { secure: "auto" as unknown as boolean, sameSite: "lax" },
    http: {
      storeCors: process.env.STORE_CORS ?? "",
      adminCors: process.env.ADMIN_CORS ?? "",
      authCors: process.env.AUTH_CORS ?? "",
      jwtSecret: settings.jwtSecret,
      cookieSecret: settings.cookieSecret,
    },
  },
  modules: [
    {
      resolve: "@medusajs/medusa/file",
      options: {
        providers: [
          {
            resolve: "@medusajs/medusa/file-local",
            id: "local",
            // Beside this file; Medusa serves it under /static.
            options: { upload_dir: "static", private_upload_dir: "static", backend_url: `${settings.url}/static` },
          },
        ],
      },
    },
    ...redisModules,
  ],
})
