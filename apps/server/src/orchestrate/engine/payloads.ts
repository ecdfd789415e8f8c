/**
 * Large payloads of runs. A payload over 32 KiB is kept as a blob and its row holds a reference; what was read
 * back is loaded when an expression is about to read it, and let go once nothing of the run will read it again.
 */
import {
  type BlobReference,
  type Blobs,
  inlineLimit,
  looksLikeReference,
  referenceIn,
} from "#platform/blobs";
import { WriteSet } from "#platform/db";

export interface RunKey {
  readonly tenantId: string;
  readonly runId: string;
}

/** A payload that is not in memory. */
export class Outside {
  readonly reference: BlobReference;
  /** Whether the blob can be read back yet. */
  durable: boolean;
  constructor(reference: BlobReference, durable = true) {
    this.reference = reference;
    this.durable = durable;
  }

  toJSON(): unknown {
    return { $blob: this.reference };
  }
}

/** What a column that may hold a reference says. */
export function fromRow(value: unknown): unknown {
  const reference = referenceIn(value);
  return reference ? new Outside(reference) : value;
}

/** A list of items' outputs may hold some that are outside. */
export const isOutside = (value: unknown): boolean =>
  value instanceof Outside || (Array.isArray(value) && value.some((v) => v instanceof Outside));

export const load = async (blobs: Pick<Blobs, "load">, owner: RunKey, value: unknown): Promise<unknown> =>
  value instanceof Outside ? JSON.parse(await blobs.load(owner, value.reference)) : value;

/** The same for a list of items' outputs. */
export const loadAll = async (blobs: Pick<Blobs, "load">, owner: RunKey, value: unknown): Promise<unknown> =>
  isOutside(value) && Array.isArray(value)
    ? Promise.all(value.map((v) => load(blobs, owner, v)))
    : load(blobs, owner, value);

/** The value of a column, whether it stands there or is kept beside it. */
export const loadRow = (blobs: Pick<Blobs, "load">, owner: RunKey, value: unknown): Promise<unknown> =>
  load(blobs, owner, fromRow(value));

export interface Kept {
  /** What the column holds. */
  readonly text: string;
  readonly outside: Outside;
  /** To be written with it. */
  readonly along: WriteSet;
}

/** Undefined for a payload that stands in its column itself, which is known at once. */
export function keepLarge(
  blobs: Pick<Blobs, "hold">,
  owner: RunKey,
  text: string | null,
): Promise<Kept> | undefined {
  if (text === null || (text.length <= inlineLimit && !looksLikeReference(text))) return undefined;
  const along = new WriteSet();
  return blobs.hold(along, owner, text).then((held) => {
    const reference = referenceIn(JSON.parse(held));
    if (!reference) throw new Error("a large payload was kept without a reference");
    const outside = new Outside(reference, false);
    along.onCommit(() => {
      outside.durable = true;
    });
    return { text: held, outside, along };
  });
}
