import type { PolicyBundle, PolicyValidation, PolicyVersion } from "@oars/sdk";
import type { Command } from "commander";
import { addCommand, addGroup, type CommandHost, type PageOptions, pageOf, pageOptions } from "../command.ts";
import { aboutFile, RefusedError } from "../failure.ts";
import { parseJson, parseJsonObject, readSource } from "../files.ts";
import { more } from "../paging.ts";
import type { Session } from "../session.ts";
import { block, clip, fields, table } from "../text.ts";
import { when } from "../time.ts";
import { addGrants } from "./policy-grant.ts";
import { addRehearsals } from "./policy-rehearsal.ts";

interface BundleOptions {
  readonly cases?: string;
  readonly name?: string;
}

export function addPolicy(program: Command, host: CommandHost): void {
  const policy = addGroup(program, "policy", "Policy bundles: Cedar text with golden cases");
  const bundle = (command: Command): Command =>
    command
      .option("--cases <file>", "JSON list of golden cases, which must hold")
      .option("--name <name>", "a name for people")
      .addHelpText("after", "\nFILE is Cedar text, or with the ending .json a bundle {name, cedar, cases}.");
  bundle(addCommand(policy, host, "validate <file>", "Check a bundle; nothing is stored", validate));
  bundle(addCommand(policy, host, "test <file>", "Check a bundle and run its golden cases", test));
  bundle(addCommand(policy, host, "draft <file>", "Check a bundle and keep it as a draft", draft));
  bundle(
    addCommand(
      policy,
      host,
      "publish <file-or-id>",
      "Put a bundle in force: a file, or a draft by its id",
      publish,
    ),
  ).option("--replaces <id>", "only if this is the one in force now");
  addCommand(policy, host, "rollback [id]", "Go back to a bundle that was in force before", rollback);
  addRehearsals(policy, host);
  addGrants(policy, host);
  pageOptions(addCommand(policy, host, "list", "List bundles, newest first", list));
  addCommand(policy, host, "show <id>", "Show a bundle with its text", show);
}

async function readBundle(session: Session, options: BundleOptions, file: string): Promise<PolicyBundle> {
  const text = await readSource(file, session.terminal);
  const bundle = file.endsWith(".json")
    ? (parseJsonObject(text, file) as unknown as PolicyBundle) // the server checks it and names every problem
    : { cedar: text };
  const cases = options.cases === undefined ? {} : { cases: await readCases(session, options.cases) };
  return { ...bundle, ...cases, ...(options.name === undefined ? {} : { name: options.name }) };
}

async function readCases(session: Session, file: string): Promise<Record<string, unknown>[]> {
  const value = parseJson(await readSource(file, session.terminal), file);
  const list = Array.isArray(value) ? value : (value as { cases?: unknown } | null)?.cases; // {cases: […]} too
  if (Array.isArray(list)) return list as Record<string, unknown>[]; // the server checks each case
  throw new RefusedError("POLICY_CASES", `${file} must hold a JSON list of cases.`, [], file);
}

async function validate(session: Session, options: BundleOptions, file: string): Promise<number> {
  const client = await session.client();
  const found = await client.policies.validate(await readBundle(session, options, file));
  return showValidation(session, found, file, "The bundle is valid");
}

/** Invalid is an answer: it goes to standard output for programs and fails for people. */
export function showValidation(
  session: Session,
  found: Pick<PolicyValidation, "valid" | "problems"> & Partial<PolicyValidation>,
  file: string,
  praise: string,
): number {
  if (!found.valid && !session.json) {
    const count = found.problems.length;
    throw new RefusedError(
      "INVALID",
      `${count} ${count === 1 ? "problem" : "problems"} in ${file}.`,
      found.problems,
      file,
    );
  }
  const warnings = (found.warnings ?? []).map(({ line, path, message }) => `${line ?? path}: ${message}\n`);
  session.show(found, () => `${praise}.\n${warnings.join("")}`);
  return found.valid ? 0 : 1;
}

/** The same check; it says how many cases held. */
async function test(session: Session, options: BundleOptions, file: string): Promise<number> {
  const client = await session.client();
  const bundle = await readBundle(session, options, file);
  const found = await client.policies.validate(bundle);
  const count = bundle.cases?.length ?? 0;
  const cases = count === 1 ? "1 golden case holds" : `${count} golden cases hold`;
  return showValidation(session, found, file, count === 0 ? "Valid; there are no golden cases" : cases);
}

async function draft(session: Session, options: BundleOptions, file: string): Promise<void> {
  const client = await session.client();
  const made = await aboutFile(file, client.policies.create(await readBundle(session, options, file)));
  session.show(
    made,
    () => `Bundle ${made.version} is a draft; it decides nothing yet.\n${fields([["id", made.id]])}`,
  );
}

const isId = (text: string): boolean => /^pol_[0-9a-hjkmnp-tv-z]{26}$/.test(text);

async function publish(
  session: Session,
  options: BundleOptions & { readonly replaces?: string },
  source: string,
): Promise<void> {
  const client = await session.client();
  const id = isId(source)
    ? source
    : (await aboutFile(source, client.policies.create(await readBundle(session, options, source)))).id;
  const { replaces } = options;
  const request = replaces === undefined ? {} : { replaces: replaces as PolicyVersion["id"] }; // the server checks it
  const inForce = await client.policies.publish(id, request);
  session.show(
    inForce,
    () =>
      `Bundle ${inForce.version} is in force: ${inForce.policies} policies, ${inForce.cases} golden cases.\n` +
      fields([
        ["id", inForce.id],
        ["digest", inForce.digest],
      ]),
  );
}

async function rollback(session: Session, _options: object, id?: string): Promise<void> {
  const done = await (await session.client()).policies.rollback(id);
  session.show(
    done,
    () =>
      `Bundle ${done.policy.version} is in force again.\n` +
      fields([
        ["id", done.policy.id],
        ["instead of", done.previousPublishedPolicyId],
      ]),
  );
}

async function list(session: Session, options: PageOptions): Promise<void> {
  const page = await (await session.client()).policies.list(pageOf(options)).page();
  session.show(page, () =>
    page.items.length === 0
      ? "There are no policies, so every action is denied. Add some: oars policy publish FILE\n"
      : table([
          ["version", "state", "name", "policies", "cases", "published", "id"],
          ...page.items.map((p) => [
            String(p.version),
            p.state,
            clip(p.name ?? "", 40),
            String(p.policies),
            String(p.cases),
            when(p.publishedAt, session.now()) ?? "-",
            p.id,
          ]),
        ]) + more(page),
  );
}

async function show(session: Session, _options: object, id: string): Promise<void> {
  const found = await (await session.client()).policies.get(id);
  session.show(
    found,
    () =>
      fields([
        ["id", found.id],
        ["version", String(found.version)],
        ["name", found.name],
        ["state", found.state],
        ["digest", found.digest],
        ["created", when(found.createdAt, session.now())],
        ["published", when(found.publishedAt, session.now())],
        ["retired", when(found.retiredAt, session.now())],
      ]) +
      block("cedar", found.source.cedar) +
      block("cases", found.source.cases?.length ? found.source.cases : undefined),
  );
}
