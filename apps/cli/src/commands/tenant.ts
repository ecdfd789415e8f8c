import type { Command } from "commander";
import { addCommand, addGroup, type CommandHost } from "../command.ts";
import { writeResult } from "../files.ts";
import type { Session } from "../session.ts";

export function addTenant(program: Command, host: CommandHost): void {
  const tenant = addGroup(program, "tenant", "The tenant and its trust keys");
  addCommand(tenant, host, "keys", "Print the public keys with which receipts are verified", keys)
    .option("--tenant <id>", "another tenant than your own")
    .option("--out <file>", "write them to a file");
}

async function keys(session: Session, options: { tenant?: string; out?: string }): Promise<void> {
  const client = await session.client();
  const document = await client.trust.keys(options.tenant ?? (await client.me.get()).tenantId);
  const text = `${JSON.stringify(document, null, 2)}\n`;
  if (options.out === undefined) return session.terminal.out(text);
  await writeResult(options.out, text);
  const { tenantId, items } = document;
  session.show(
    { tenantId, keys: items.length, file: options.out },
    () =>
      `${items.length} keys of ${tenantId} are in ${options.out}.\nTry next: oars verify RECEIPTS --keys ${options.out}\n`,
  );
}
