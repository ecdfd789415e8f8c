import { z } from "zod";

/**
 * Reads a request whose fields may have other names, as alias -> canonical. An alias beside its canonical field
 * stays as it is, so that the strict schema names it as an error instead of one of the two winning silently.
 */
export const withSeedNames = <T extends z.ZodType>(aliases: Readonly<Record<string, string>>, schema: T) =>
  z.preprocess((value) => renamed(value, aliases), schema);

function renamed(value: unknown, aliases: Readonly<Record<string, string>>): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const given = Object.entries(value);
  const names = new Set(given.map(([name]) => name));
  return Object.fromEntries(
    given.map(([name, member]) => {
      const canonical = Object.hasOwn(aliases, name) ? aliases[name] : undefined;
      if (canonical === undefined || names.has(canonical)) return [name, member];
      names.add(canonical);
      return [canonical, member];
    }),
  );
}
