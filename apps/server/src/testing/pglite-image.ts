/**
 * Embedded databases from a tar file of a migrated one. PGlite's own way (`loadDataDir`) costs 340 ms of processor
 * time; with the files laid into its memory as they are and small buffers it is 130 ms, and there are hundreds.
 */
import { readFile } from "node:fs/promises";
import { MemoryFS, PGlite } from "@electric-sql/pglite";

const dataDir = "/pglite/data";

export async function openImage(file: string): Promise<PGlite> {
  const entries = [...entriesOf(await readFile(file))]; // read each time: the database writes into these bytes
  return PGlite.create({
    fs: new Image(entries),
    startParams: [...PGlite.defaultStartParams, "-c", "shared_buffers=16MB"],
  });
}

interface Entry {
  readonly path: string;
  readonly mode: number;
  /** Absent for a directory. */
  readonly bytes?: Uint8Array;
}

class Image extends MemoryFS {
  readonly #entries: readonly Entry[];

  constructor(entries: readonly Entry[]) {
    super();
    this.#entries = entries;
  }

  override async initialSyncFs(): Promise<void> {
    const files = this.pg?.Module.FS;
    if (!files) throw new Error("PGlite has no file system yet");
    files.mkdirTree(dataDir, 0o700);
    for (const { path, mode, bytes } of this.#entries) {
      const place = dataDir + path;
      if (bytes) files.writeFile(place, bytes, { canOwn: true });
      else files.mkdirTree(place, mode);
      files.chmod(place, mode);
    }
  }
}

const block = 512;

/** Directories come before what is in them; names are short (ustar), as `dumpDataDir` writes them. */
function* entriesOf(tar: Buffer): Generator<Entry> {
  for (let at = 0; at + block <= tar.length && tar[at] !== 0; ) {
    const field = (from: number, length: number): string => {
      const raw = tar.subarray(at + from, at + from + length);
      const end = raw.indexOf(0);
      return raw.toString("latin1", 0, end < 0 ? length : end).trim();
    };
    const prefix = field(345, 155);
    const name = field(0, 100);
    const size = Number.parseInt(field(124, 12) || "0", 8);
    const mode = Number.parseInt(field(100, 8), 8);
    const path = prefix === "" ? name : `${prefix}/${name}`;
    const start = at + block;
    if (field(156, 1) === "5") yield { path, mode };
    else yield { path, mode, bytes: tar.subarray(start, start + size) };
    at = start + Math.ceil(size / block) * block;
  }
}
