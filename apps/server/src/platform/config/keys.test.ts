import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadOrCreateKeys } from "./keys.ts";
import { Secret } from "./secret.ts";

describe("loadOrCreateKeys", () => {
  let dir = "";
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "oars-keys-"));
  });
  afterEach(() => rm(dir, { recursive: true }));

  it("makes keys once and gives the same ones ever after", async () => {
    const first = await loadOrCreateKeys(dir);
    const second = await loadOrCreateKeys(dir);
    expect(first.dataEncryption.reveal()).toHaveLength(32);
    expect(first.jwt.reveal().length).toBeGreaterThanOrEqual(32);
    expect(Buffer.from(second.dataEncryption.reveal()).equals(first.dataEncryption.reveal())).toBe(true);
    expect(second.jwt.reveal()).toBe(first.jwt.reveal());
    expect(first.jwt.reveal()).not.toBe(Buffer.from(first.dataEncryption.reveal()).toString("base64"));
  });

  it("gives everyone the same keys when many start at once, and leaves no drafts", async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => loadOrCreateKeys(dir)));
    expect(new Set(all.map((k) => k.jwt.reveal())).size).toBe(1);
    expect(await readdir(join(dir, "keys"))).toEqual(["data-encryption.key", "jwt.key"]);
  });

  it("keeps them from other users", async () => {
    await loadOrCreateKeys(dir);
    for (const name of ["data-encryption.key", "jwt.key"]) {
      expect((await stat(join(dir, "keys", name))).mode & 0o777).toBe(0o600);
    }
    await chmod(join(dir, "keys", "jwt.key"), 0o644);
    await expect(loadOrCreateKeys(dir)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });

  it("refuses a damaged key rather than replacing it", async () => {
    await loadOrCreateKeys(dir);
    const path = join(dir, "keys", "data-encryption.key");
    await writeFile(path, "half");
    await expect(loadOrCreateKeys(dir)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      errors: [{ path: "OARS_DATA_ENCRYPTION_KEY" }],
    });
    expect(await readFile(path, "utf8")).toBe("half");
  });

  it("prefers what is given and writes nothing for it", async () => {
    const given = { dataEncryption: new Secret(new Uint8Array(32).fill(7)), jwt: null };
    const keys = await loadOrCreateKeys(dir, given);
    expect(keys.dataEncryption).toBe(given.dataEncryption);
    expect(await readdir(join(dir, "keys"))).toEqual(["jwt.key"]);
  });
});
