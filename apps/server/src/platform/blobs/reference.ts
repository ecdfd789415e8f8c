/**
 * What stands in a row in place of a payload that is kept as a blob:
 *
 *   {"$blob":{"sha256":"9f86d0…","bytes":1234567}}
 *
 * B1 only `hold` (service.ts) writes references: a payload that looks like one is kept as a blob itself, whatever its
 *    size. What a user sends can therefore be read back as it was, and never names a blob.
 */
export interface BlobReference {
  /** Hex digest of the payload's JSON text. */
  readonly sha256: string;
  /** Length of the payload's JSON text in UTF-8. */
  readonly bytes: number;
}

export const referenceText = ({ sha256, bytes }: BlobReference): string =>
  `{"$blob":{"sha256":"${sha256}","bytes":${bytes}}}`;

/**
 * The reference that a column holds, parsed as the database gives it; undefined for a payload that stands there
 * itself. Only for columns whose writer passes every value through `hold`.
 */
export function referenceIn(value: unknown): BlobReference | undefined {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "$blob")) return undefined;
  if (Object.keys(value).length !== 1) return undefined;
  const { sha256, bytes } = ((value as { $blob: unknown }).$blob ?? {}) as Partial<BlobReference>; // checked next
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) return undefined;
  return typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes >= 0
    ? { sha256, bytes }
    : undefined;
}

/** Whether the database might give this JSON text back as a reference: its first member's name begins with `$`. */
export const looksLikeReference = (jsonText: string): boolean => /^\s*\{\s*"(?:\$|\\u0024)/i.test(jsonText);
