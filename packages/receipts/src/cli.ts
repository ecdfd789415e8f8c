/** `oars-verify`: checks receipts offline. Exit 0 verified, 1 proven tampering, 2 cannot decide. */
import { parseArgs } from "node:util";
import { findEvidence, readTrustFiles, reasonOf } from "./cli-files.ts";
import { toJson, toText, type Verified } from "./cli-output.ts";
import { isPackName, packText, verifyPackFiles } from "./cli-pack.ts";
import { replayFile, replayText } from "./cli-replay.ts";
import { createNodeCrypto } from "./node.ts";
import { worstExit } from "./report.ts";
import { createVerifier } from "./verify.ts";

const usage = `Usage: oars-verify --keys <keys.json> [--json] <file|folder|-> ...
       oars-verify --keys <keys.json> [--json] --replay <file|->

Checks receipts without a network: bundles, .tlog-proof files, SD-JWTs and compact JWS, and evidence packs (.zip).
  --keys <file>   trust keys: the answer of GET /v1/trust/tenants/<tenant>/keys (may be repeated)
  --replay <file> ask Cedar again what a signed decision says, with what was disclosed of it: the answer of
                  GET /v1/receipts/<id>?format=replay. Needs @cedar-policy/cedar-wasm.
  --json          print the full reports as JSON
  --help          print this text

Exit code: 0 verified, 1 proven tampering, 2 cannot decide (unknown key, unreadable input).
`;

export interface CliOutput {
  out(text: string): void;
  err(text: string): void;
}

/** Runs the command and answers its exit code. Never throws for what it reads. */
export async function runCli(args: readonly string[], io: CliOutput): Promise<0 | 1 | 2> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        keys: { type: "string", multiple: true, default: [] },
        replay: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      io.out(usage);
      return 0;
    }
    if (values.replay !== undefined && positionals.length === 0) {
      const run = await replayFile(values.replay, await readTrustFiles(values.keys));
      io.out(values.json ? `${JSON.stringify(run, null, 2)}\n` : replayText(run));
      return run.replay.exitCode;
    }
    if (positionals.length === 0 || values.replay !== undefined) {
      io.err(usage);
      return 2;
    }
    return await verifyPaths(positionals, values.keys, values.json, io);
  } catch (error) {
    io.err(`oars-verify: ${reasonOf(error)}\n`);
    return 2;
  }
}

async function verifyPaths(
  paths: readonly string[],
  keyFiles: readonly string[],
  json: boolean,
  io: CliOutput,
): Promise<0 | 1 | 2> {
  if (keyFiles.length === 0)
    io.err(
      "oars-verify: no --keys given, so no signature can be decided; save the tenant's trust keys first\n",
    );
  const trust = await readTrustFiles(keyFiles);
  const verifier = createVerifier(trust, createNodeCrypto());
  const packs = await verifyPackFiles(paths.filter(isPackName), trust, createNodeCrypto());
  const { evidence, problems } = await findEvidence(paths.filter((path) => !isPackName(path)));
  const results: Verified[] = [];
  for (const { place, text, receiptId } of evidence) {
    const options = receiptId === undefined ? {} : { receiptId };
    results.push({ place, report: await verifier.verify(text, options) });
  }
  const exit = worstExit([
    ...results.map(({ report }) => report.exitCode),
    ...packs.map(({ report }) => report.exitCode),
    ...problems.map(() => 2 as const),
  ]);
  if (json) io.out(toJson(results, problems, exit, packs));
  else
    io.out(packs.map(packText).join("") + (packs.length === paths.length ? "" : toText(results, problems)));
  return exit;
}
