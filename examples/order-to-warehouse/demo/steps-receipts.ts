import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createClient, type ReceiptBundle } from "@oars/sdk";
import { runNode } from "./child.ts";
import type { Play } from "./stage.ts";
import { changeOneByte } from "./tamper.ts";

const verifier = fileURLToPath(new URL("../../../packages/receipts/bin/oars-verify.mjs", import.meta.url));
const receiptsFile = "receipts.json";
const keysFile = "keys.json";
const forgedFile = "forged.json";
const evidence = "evidence";

/** How a person checks the files that a kept demo left in `dir`. */
export const verifyCommand = (dir: string): string =>
  `node packages/receipts/bin/oars-verify.mjs --keys ${join(dir, evidence, keysFile)} ${join(dir, evidence, receiptsFile)}`;

/** Takes the evidence of a run out, stops the server, and lets the offline verifier judge the two files. */
export async function receipts(play: Play, runId: string): Promise<void> {
  const { admin, checks, print, server, stage, tenantId } = play;
  print.step("Receipts of the large order, checked by a stranger");
  const folder = join(stage.place.dir, evidence);
  await mkdir(folder);
  const bundle = await admin.receipts.exportRun(runId);
  await writeJson(join(folder, receiptsFile), bundle);
  const anybody = createClient({ baseUrl: server.url });
  await writeJson(join(folder, keysFile), await anybody.trust.keys(tenantId));
  print.fields([
    [receiptsFile, `${bundle.items.length} receipts with their proofs, GET /v1/runs/<run>/receipts`],
    [keysFile, "public keys, GET /v1/trust/tenants/<tenant>/keys, needs no credentials"],
  ]);
  const { code } = await server.stop();
  checks.that(code === 0, "the server stopped in order: SIGINT, exit 0", code);

  const command = `oars-verify --keys ${keysFile} ${receiptsFile}`;
  const honest = await verify(folder, receiptsFile);
  print.say(`${command}, with nothing but the two files:`);
  print.table(columnsOf(honest.out, ["receipt", "type", "verdict", "signature", "inclusion"]));
  checks.that(honest.code === 0, `exit 0: ${lastLine(honest.out)}`, honest);

  const change = changeOneByte(bundle);
  await writeJson(join(folder, forgedFile), change.bundle);
  print.say(`One byte changed in receipt ${change.place} of ${bundle.items.length}: ${change.what}`);
  const forged = await verify(folder, forgedFile);
  print.quote(remarksOf(forged.out));
  checks.that(forged.code === 1, `exit 1: ${lastLine(forged.out)}`, forged);
}

const writeJson = (path: string, value: ReceiptBundle | object): Promise<void> =>
  writeFile(path, `${JSON.stringify(value, null, 2)}\n`);

const verify = (folder: string, file: string): Promise<{ code: number | null; out: string }> =>
  runNode([verifier, "--keys", keysFile, file], folder);

/** Some columns of the verifier's table, which is wider than this story. */
function columnsOf(out: string, names: readonly string[]): string[][] {
  const [table = ""] = out.split("\n\n", 1);
  const rows = table.split("\n").map((line) => line.split(/ {2,}/));
  const places = names.map((name) => rows[0]?.indexOf(name) ?? -1);
  return rows.map((row) => places.map((place) => row[place] ?? ""));
}

/** What it says below its table. */
const remarksOf = (out: string): string => out.split("\n\n").slice(1).join("\n").trim();

const lastLine = (out: string): string => out.trimEnd().split("\n").at(-1) ?? "";
