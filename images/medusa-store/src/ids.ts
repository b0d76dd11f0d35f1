/**
 * Ids of Medusa are ULIDs, most with a prefix (`sp_01J…`). The snapshot holds a few, made when the image was built; a
 * shop gets its own, so that no two shops share one.
 */
import { randomBytes } from "node:crypto"

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
const ID = /\b([a-z]+_)?[0-7][0-9A-HJKMNP-TV-Z]{25}\b/g

/** `sql` with every id replaced by a new one of the same prefix; the same id by the same new one. */
export function withFreshIds(sql: string): string {
  const fresh = new Map<string, string>()
  return sql.replace(ID, (id, prefix = "") => {
    if (!fresh.has(id)) fresh.set(id, `${prefix}${ulid(Date.now())}`)
    return fresh.get(id)!
  })
}

/** 48 bits of milliseconds and 80 random ones, five bits a letter. */
export function ulid(now: number): string {
  let bits = (BigInt(now) << 80n) | BigInt(`0x${randomBytes(10).toString("hex")}`)
  let letters = ""
  for (let i = 0; i < 26; i++, bits >>= 5n) letters = ALPHABET[Number(bits & 31n)] + letters
  return letters
}
