/**
 * The log as files, C2SP tlog-tiles: what `<origin>/<path>` holds. A file of a full tile never changes; everything
 * is read against the newest checkpoint, so nothing is shown that was not signed for.
 */
import { entryBundle, parseTilePath, type TileId, tileKey, tileWidth, tileWidthAt } from "@oars/receipts";
import type { Db } from "#platform/db";
import { OarsError, sha256 } from "#platform/kernel";
import { installationId, listEntries } from "#sign/receipts";
import { cosigned } from "./heads.ts";
import { findHead, listReceiptIds } from "./store.ts";
import { loadTiles } from "./tree.ts";

export interface LogFile {
  readonly body: string | Uint8Array;
  readonly type: "text/plain; charset=utf-8" | "application/octet-stream";
  /** Strong: the digest of the body. */
  readonly etag: string;
  /** Full tiles never change; partial ones give way to wider ones, and the checkpoint to the next. */
  readonly immutable: boolean;
}

type PartialTile = TileId & { readonly width: number };

/**
 * `checkpoint`, `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`; undefined for everything that is not there,
 * with paths in another spelling among it. Throws LOG_ENTRIES_RETIRED where receipts were dropped by retention.
 */
export async function readLogFile(db: Db, tenantId: string, path: string): Promise<LogFile | undefined> {
  const head = await findHead(db, tenantId);
  if (!head) return undefined;
  if (path === "checkpoint") return textFile(await cosigned(db, tenantId, head.size, head.note));
  const entries = path.startsWith("tile/entries/");
  const tile = parseTilePath(entries ? path.replace("tile/entries/", "tile/0/") : path);
  if (!tile || tile.width > tileWidthAt(tile, head.size)) return undefined;
  const bytes = entries ? await readEntries(db, tenantId, tile) : await readTile(db, tenantId, tile);
  return bytes && tileFile(bytes, tile.width === tileWidth);
}

/** The first `width` hashes of a tile; undefined when the tile is not there. */
export async function readTile(db: Db, tenantId: string, tile: PartialTile): Promise<Uint8Array | undefined> {
  const hashes = (await loadTiles(db, tenantId, [tile])).get(tileKey(tile));
  return hashes?.subarray(0, tile.width * 32);
}

async function readEntries(db: Db, tenantId: string, tile: PartialTile): Promise<Uint8Array | undefined> {
  const first = tile.index * tileWidth;
  const ids = await listReceiptIds(db, tenantId, first, first + tile.width);
  const entries = await listEntries(
    db,
    tenantId,
    ids.map(({ receiptId }) => receiptId),
  );
  if (ids.length < tile.width || tenantId === installationId) return undefined; // it would list the tenants
  const found = entries.filter((entry) => entry !== undefined);
  if (found.length < tile.width) throw new OarsError("LOG_ENTRIES_RETIRED");
  return entryBundle(found);
}

const etagOf = (body: string | Uint8Array): string =>
  `"${Buffer.from(sha256(body)).toString("base64url").slice(0, 22)}"`;

const textFile = (body: string): LogFile => ({
  body,
  type: "text/plain; charset=utf-8",
  etag: etagOf(body),
  immutable: false,
});

const tileFile = (body: Uint8Array, immutable: boolean): LogFile => ({
  body,
  type: "application/octet-stream",
  etag: etagOf(body),
  immutable,
});
