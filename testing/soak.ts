/** How long and from where random trials run: a few seconds among the other tests, as long as wanted by `npm run test:soak`. */

export interface Soak {
  /** Null for the short form. */
  readonly minutes: number | null;
  /** Of fast-check, as a failure tells them; null for a random one. */
  readonly seed: number | null;
  readonly path: string | null;
}

declare module "vitest" {
  interface ProvidedContext {
    soak: Soak;
  }
}

const number = (text: string | undefined): number | null => (text ? Number(text) : null);

export const soakFrom = (env: Readonly<Record<string, string | undefined>>): Soak => ({
  minutes: number(env.OARS_SOAK_MINUTES),
  seed: number(env.OARS_SOAK_SEED),
  path: env.OARS_SOAK_PATH || null,
});
