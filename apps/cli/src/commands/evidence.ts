import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isTrustDocument, packCheckNames, type TrustDocument } from "@oars/receipts";
import { createNodeCrypto, verifyPackFile } from "@oars/receipts/node";
import type { EvidenceExport } from "@oars/sdk";
import { type Command, Option } from "commander";
import {
  addCommand,
  addGroup,
  type CommandHost,
  collect,
  type PageOptions,
  pageOf,
  pageOptions,
  wholeNumber,
} from "../command.ts";
import { RefusedError, UsageError } from "../failure.ts";
import { nameOf, parseJson, readSource } from "../files.ts";
import { more } from "../paging.ts";
import type { Session } from "../session.ts";
import { fields, printable, table } from "../text.ts";
import { when } from "../time.ts";

export function addEvidence(program: Command, host: CommandHost): void {
  const evidence = addGroup(program, "evidence", "Evidence packs, and how far controls are covered");
  addCommand(evidence, host, "export", "Have a pack made, and save it", exportPack)
    .option("--framework <name>", "such as soc2; repeatable", collect)
    .option("--from <time>", "start of the window, as in 2026-01-01")
    .option("--to <time>", "end of the window, not part of it")
    .option("--run <id>", "every receipt of a run, in place of a window")
    .option("--action <id>", "every receipt of an action, in place of a window")
    .addOption(new Option("--mode <mode>", "all receipts, or those drawn").choices(["full", "sample"]))
    .option("--samples <n>", "receipts to draw from all", wholeNumber(0, 1000))
    .option("--samples-per-control <n>", "receipts to draw for each control", wholeNumber(0, 100))
    .option("--seed <text>", "of the draw; random when absent")
    .option("--out <file>", "where to; <id>.zip when absent")
    .option("--no-wait", "only ask for it");
  pageOptions(addCommand(evidence, host, "list", "List packs, newest first", list));
  addCommand(evidence, host, "download <id>", "Save a pack that was made", download).option(
    "--out <file>",
    "where to; <id>.zip when absent",
  );
  addCommand(evidence, host, "verify <file>", "Verify a pack offline", verify).requiredOption(
    "--keys <file>",
    "trust keys, from oars tenant keys; repeatable",
    collect,
  );
  addCommand(
    evidence,
    host,
    "coverage <framework>",
    "Show covered controls and gaps; exit 1 with gaps",
    coverage,
  )
    .option("--from <time>", "start of the window; 90 days before its end when absent")
    .option("--to <time>", "end of the window; now when absent");
  addCommand(evidence, host, "frameworks", "List the frameworks that the server knows", frameworks);
  addCommand(
    evidence,
    host,
    "schedule [framework]",
    "Have a pack made each month; list them",
    schedule,
  ).option("--off", "no further ones");
}

interface ExportOptions {
  readonly framework?: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly run?: string;
  readonly action?: string;
  readonly mode?: "full" | "sample";
  readonly samples?: number;
  readonly samplesPerControl?: number;
  readonly seed?: string;
  readonly out?: string;
  readonly wait: boolean;
}

async function exportPack(session: Session, options: ExportOptions): Promise<void> {
  const { framework, from, to, out, wait, ...rest } = options;
  const client = await session.client();
  const asked = await client.evidence.export({
    ...pick(rest),
    ...(framework === undefined ? {} : { frameworks: [...framework] }),
    ...(from === undefined ? {} : { dateFrom: instantOf(from) }),
    ...(to === undefined ? {} : { dateTo: instantOf(to) }),
  });
  if (!wait)
    return session.show(
      asked,
      () => `Pack ${asked.id} is asked for. Save it: oars evidence download ${asked.id}\n`,
    );
  const made = await client.evidence.wait(asked.id);
  if (made.state === "failed")
    throw new RefusedError("EVIDENCE_FAILED", made.error ?? "The pack could not be made.");
  await save(session, made, out);
}

/** Without `--json` and what else is not the server's. */
const pick = ({ run, action, mode, samples, samplesPerControl, seed }: Partial<ExportOptions>): object =>
  Object.fromEntries(
    Object.entries({ run, action, mode, samples, samplesPerControl, seed }).filter(
      ([, v]) => v !== undefined,
    ),
  );

/** A day or an instant. Throws UsageError. */
function instantOf(text: string): string {
  const ms = Date.parse(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00.000Z` : text);
  if (Number.isNaN(ms))
    throw new UsageError(`${text} is no time; write it as 2026-01-31 or 2026-01-31T12:00:00Z.`);
  return new Date(ms).toISOString();
}

async function save(session: Session, pack: EvidenceExport, out: string | undefined): Promise<void> {
  const file = out ?? `${pack.id}.zip`;
  const body = await (await session.client()).evidence.download(pack.id);
  try {
    await pipeline(Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]), createWriteStream(file)); // the same stream, by another declaration
  } catch (error) {
    if (typeof (error as { syscall?: unknown }).syscall !== "string") throw error;
    throw new UsageError(`${file} cannot be written: ${(error as Error).message}.`); // a system error
  }
  session.show({ ...summaryOf(pack), file }, () =>
    [
      `Pack ${pack.id} is in ${file} (${pack.bytes} bytes, sha256 ${pack.sha256}).`,
      `Verify it: oars tenant keys --out keys.json && oars evidence verify ${file} --keys keys.json`,
      "",
    ].join("\n"),
  );
}

/** The manifest is long, and in the archive. */
const summaryOf = (pack: EvidenceExport): object => {
  const { manifest: _, signature: __, ...rest } = { manifest: null, signature: null, ...pack };
  return rest;
};

async function list(session: Session, options: PageOptions): Promise<void> {
  const page = await (await session.client()).evidence.list(pageOf(options)).page();
  session.show(page, () =>
    page.items.length === 0
      ? "There are no evidence packs. Have one made: oars evidence export --help\n"
      : table([
          ["pack", "kind", "frameworks", "from", "to", "state", "bytes", "made"],
          ...page.items.map((p) => [
            p.id,
            p.kind,
            p.frameworks.join(" "),
            p.window.from.slice(0, 10),
            p.window.to.slice(0, 10),
            p.state === "building" && p.progress.total ? `${p.progress.done}/${p.progress.total}` : p.state,
            p.bytes === null ? "-" : String(p.bytes),
            when(p.finishedAt, session.now()) ?? "-",
          ]),
        ]) + more(page),
  );
}

async function download(session: Session, options: { out?: string }, id: string): Promise<void> {
  await save(session, await (await session.client()).evidence.get(id), options.out);
}

async function verify(session: Session, options: { keys: readonly string[] }, file: string): Promise<number> {
  const trust: TrustDocument[] = [];
  for (const path of options.keys) {
    const value = parseJson(await readSource(path, session.terminal), path);
    if (!isTrustDocument(value))
      throw new UsageError(`${nameOf(path)} holds no trust keys (oars tenant keys).`);
    trust.push(value);
  }
  const report = await verifyPackFile(file, trust, createNodeCrypto());
  session.show({ file, ...report }, () =>
    fields([
      ["pack", report.manifest?.packId],
      ["verdict", report.verdict],
      ...packCheckNames.map((name) => {
        const { status, detail } = report.checks[name];
        return [name, `${status}: ${printable(detail)}`] as const;
      }),
    ]),
  );
  return report.exitCode;
}

async function coverage(
  session: Session,
  range: { from?: string; to?: string },
  framework: string,
): Promise<number> {
  const scan = await (await session.client()).compliance.coverage({
    framework,
    ...(range.from === undefined ? {} : { dateFrom: instantOf(range.from) }),
    ...(range.to === undefined ? {} : { dateTo: instantOf(range.to) }),
  });
  session.show(
    scan,
    () =>
      `${scan.coveredControls} of ${scan.totalControls} mapped controls of ${framework} are covered, ${scan.window.from} to ${scan.window.to}\n\n${table(
        [
          ["control", "covered", "receipts", "newest", "title"],
          ...scan.controls.map((c) => [
            c.controlId,
            c.covered ? "yes" : "no",
            String(c.receipts),
            when(c.newestAt, session.now()) ?? "-",
            c.title,
          ]),
        ],
      )}${scan.gaps.length === 0 ? "" : `\nGaps\n${table([["control", "reason", "detail"], ...scan.gaps.map((g) => [g.controlId, g.reason, g.detail])])}`}`,
  );
  return scan.missingControls.length > 0 ? 1 : 0;
}

async function frameworks(session: Session): Promise<void> {
  const page = await (await session.client()).compliance.frameworks().page();
  session.show(page, () =>
    table([
      ["framework", "controls", "with a rule", "name"],
      ...page.items.map((f) => [
        f.framework,
        String(f.controls.length),
        String(f.controls.filter((c) => c.mapped).length),
        f.name,
      ]),
    ]),
  );
}

async function schedule(session: Session, options: { off?: boolean }, framework?: string): Promise<void> {
  const { evidence } = await session.client();
  if (framework !== undefined)
    await (options.off ? evidence.unschedule(framework) : evidence.schedule(framework));
  else if (options.off) throw new UsageError("Name the framework of which no further packs are wanted.");
  const page = await evidence.schedules().page();
  session.show(page, () =>
    page.items.length === 0
      ? "No packs are made by themselves. Have them made: oars evidence schedule soc2\n"
      : table([
          ["framework", "each month since"],
          ...page.items.map((s) => [s.framework, when(s.createdAt, session.now()) ?? ""]),
        ]),
  );
}
