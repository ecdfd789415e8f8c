import type { ConfirmedFactor } from "@oars/sdk";
import type { Command } from "commander";
import { addCommand, addGroup, type CommandHost } from "../command.ts";
import { UsageError } from "../failure.ts";
import type { Session } from "../session.ts";
import { fields, table } from "../text.ts";
import { when } from "../time.ts";

export function addFactor(program: Command, host: CommandHost): void {
  const factor = addGroup(program, "factor", "Second factors, with which you confirm votes");
  addCommand(factor, host, "list", "List your second factors", list).option(
    "--principal <id>",
    "another person's; needs access:read",
  );
  addCommand(factor, host, "enrol <kind>", "Enrol an authenticator app: oars factor enrol totp", enrol)
    .option("--name <name>", "what to call it", "authenticator app")
    .option("--code <code>", "a code of a factor that you have, once you have one");
  addCommand(factor, host, "confirm <id> <code>", "Confirm an enrolment with the app's code", confirm);
  withCode(addCommand(factor, host, "revoke <id>", "Give up a factor", revoke));
  withCode(
    addCommand(factor, host, "recovery-codes", "Make new recovery codes in place of the old", recovery),
  );
  addCommand(factor, host, "reset <principal>", "Revoke all factors of a person who lost them", reset);
}

const withCode = (command: Command): Command =>
  command.option("--code <code>", "a code of a factor that you have");

const proofOf = ({ code }: { code?: string }) => (code === undefined ? {} : { stepUpCode: code });

async function list(session: Session, { principal }: { principal?: string }): Promise<void> {
  const found = await (await session.client()).factors.list(principal === undefined ? {} : { principal });
  session.show(found, () =>
    found.items.length === 0
      ? "There is no second factor. Enrol one: oars factor enrol totp\n"
      : `${table([
          ["factor", "kind", "name", "state", "last used"],
          ...found.items.map((f) => [
            f.id,
            f.kind,
            f.name,
            f.state,
            when(f.lastUsedAt, session.now()) ?? "never",
          ]),
        ])}${found.recoveryCodesLeft} recovery codes are left.\n`,
  );
}

async function enrol(
  session: Session,
  options: { name: string; code?: string },
  kind: string,
): Promise<void> {
  if (kind !== "totp")
    throw new UsageError(
      "A terminal can enrol totp; a security key is enrolled by a page in a browser with POST /v1/factors.",
    );
  const client = await session.client();
  const made = await client.factors.enrol({ kind: "totp", name: options.name, ...proofOf(options) });
  const { terminal } = session;
  const what = fields([
    ["factor", made.factor.id],
    ["secret", made.secret],
    ["address", made.uri],
  ]);
  if (!terminal.interactive) {
    session.show(
      made,
      () => `${what}\nConfirm within 15 minutes: oars factor confirm ${made.factor.id} CODE\n`,
    );
    return;
  }
  terminal.err(`${what}\nAdd it to your authenticator app.\n`);
  const code = await terminal.ask("Its code now: ");
  show(session, await client.factors.confirm(made.factor.id, { code: code.trim() }));
}

async function confirm(session: Session, _options: object, id: string, code: string): Promise<void> {
  show(session, await (await session.client()).factors.confirm(id, { code }));
}

function show(session: Session, done: ConfirmedFactor): void {
  session.show(done, () => `${done.factor.name} is active.\n${codesText(done.recoveryCodes)}`);
}

const codesText = (codes: readonly string[] | null): string =>
  codes === null || codes.length === 0
    ? ""
    : `Recovery codes, each good once; they are not shown again:\n${codes.map((c) => `  ${c}\n`).join("")}`;

async function revoke(session: Session, options: { code?: string }, id: string): Promise<void> {
  const gone = await (await session.client()).factors.revoke(id, proofOf(options));
  session.show(gone, () => `${gone.name} is revoked.\n`);
}

async function recovery(session: Session, options: { code?: string }): Promise<void> {
  const made = await (await session.client()).factors.recoveryCodes(proofOf(options));
  session.show(made, () => codesText(made.recoveryCodes));
}

async function reset(session: Session, _options: object, principal: string): Promise<void> {
  const done = await (await session.client()).factors.reset(principal);
  session.show(done, () => `${done.revoked} factors are revoked; the person can enrol new ones.\n`);
}
