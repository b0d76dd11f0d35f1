/**
 * How the process speaks to whoever watches its log: one line when something has happened, and one line that says
 * why it ended. Operators and programs read these lines, so their wording is part of the image's interface.
 */

/** What was being done when it failed; `configuration` and `database` are for people to mend, not for a retry. */
export type Stage = "configuration" | "database" | "migration" | "prepare"

export class Failure extends Error {
  constructor(
    readonly stage: Stage,
    reason: string,
    options?: ErrorOptions
  ) {
    super(reason, options)
  }
}

export function say(message: string): void {
  process.stdout.write(`storefleet: ${message}\n`)
}

/** Runs `work`; whatever it throws becomes a Failure of `stage`, unless it is one already. */
export async function during<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof Failure ? error : new Failure(stage, reasonOf(error), { cause: error })
  }
}

export function reasonOf(error: unknown): string {
  // Several addresses of one host refuse together: Node's AggregateError itself has no message.
  const cause = error instanceof AggregateError && error.errors.length ? error.errors[0] : error
  // Medusa's workflows throw plain objects that look like errors.
  const { message, code } = (cause ?? {}) as { message?: string; code?: string }
  return message || code || String(cause)
}

export function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim().slice(0, 300)
}

/** `text` in which none of `secrets` occurs, raw or as part of a URL. */
export function without(secrets: readonly string[], text: string): string {
  const forms = secrets.flatMap((secret) => [secret, encodeURIComponent(secret)])
  return forms.reduce((rest, form) => rest.replaceAll(form, "***"), text)
}
