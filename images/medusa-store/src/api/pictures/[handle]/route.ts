/** GET /pictures/<handle>: the drawing of a sample product. */
import { picture, SAMPLES } from "../../../storefront/samples"
import type { MedusaRequest, MedusaResponse } from "@medusajs/framework/http"

export function GET(request: MedusaRequest, response: MedusaResponse): void {
  const sample = SAMPLES.find(({ handle }) => handle === request.params.handle)
  if (!sample) {
    response.status(404).type("text/plain").send("There is no such picture.")
    return
  }
  response
    .status(200)
    .set({ "cache-control": "public, max-age=86400", "content-security-policy": "default-src 'none'" })
    .type("image/svg+xml")
    .send(picture(sample))
}
