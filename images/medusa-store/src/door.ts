/**
 * The HTTP server. It listens from the first moment, long before Medusa is loaded, so that whoever asks learns "alive,
 * not ready" instead of a refused connection; `/health` and `/ready` stay here, before all of Medusa's middleware.
 */
import http from "node:http"
import type { RequestListener, ServerResponse } from "node:http"

const READY_LIMIT_MS = 2_000
const DRAIN_LIMIT_MS = 8_000

export interface Shop {
  handle: RequestListener
  /** Resolves when the database has answered, rejects when it has not. */
  ping: () => Promise<unknown>
}

export class Door {
  private shop?: Shop
  private closing = false
  private readonly server = http.createServer((request, response) => {
    const path = request.url?.split("?", 1)[0]
    if (path === "/health") answer(response, 200, "OK")
    else if (path === "/ready") void this.ready(response)
    else if (this.shop) this.shop.handle(request, response)
    else answer(response, 503, "The shop is starting.")
  })

  async listen(port: number): Promise<void> {
    // Longer than an ingress keeps its idle connections: the one that closes first must not be this side.
    this.server.keepAliveTimeout = 75_000
    await new Promise<void>((resolve, reject) => this.server.once("error", reject).listen(port, resolve))
  }

  open(shop: Shop): void {
    this.shop = shop
  }

  /** Lets requests that are under way end, for a few seconds at most. */
  async close(): Promise<void> {
    this.closing = true
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()))
    this.server.closeIdleConnections()
    const limit = setTimeout(() => this.server.closeAllConnections(), DRAIN_LIMIT_MS)
    await closed
    clearTimeout(limit)
  }

  private async ready(response: ServerResponse): Promise<void> {
    if (!this.shop || this.closing) return answer(response, 503, this.closing ? "stopping" : "starting")
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<boolean>((resolve) => (timer = setTimeout(resolve, READY_LIMIT_MS, false)))
    const database = await Promise.race([this.shop.ping().then(() => true, () => false), late])
    clearTimeout(timer)
    answer(response, database ? 200 : 503, database ? "OK" : "The database does not answer.")
  }
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "cache-control": "no-store",
    ...(status === 503 && { "retry-after": "2" }),
  })
  response.end(text)
}
