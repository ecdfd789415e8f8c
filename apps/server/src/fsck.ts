/** `oars-server fsck`: makes every log again from the receipts and says where it first differs. */
import type { Config } from "#platform/config";
import { openDatabase } from "#platform/db";
import { formatId } from "#platform/kernel";
import { checkLogs, type LogFindings } from "#sign/log";
import { installationId } from "#sign/receipts";

const nameOf = (tenantId: string): string =>
  tenantId === installationId ? "instance" : formatId("tenant", tenantId);

const shown = ({ tenantId, difference, ...rest }: LogFindings) => ({
  log: nameOf(tenantId),
  ...rest,
  difference: difference && {
    ...difference,
    ...(difference.receiptId === undefined ? {} : { receiptId: formatId("receipt", difference.receiptId) }),
  },
});

function lineOf(findings: LogFindings): string {
  const { log, treeSize, checkpoints, retired, difference } = shown(findings);
  const what = `${log}  ${treeSize} leaves, ${checkpoints} checkpoints`;
  const gone = retired === 0 ? "" : `, ${retired} receipts past their retention (hashes compared alone)`;
  if (!difference) return `ok      ${what}${gone}`;
  const place = [
    difference.leafIndex === undefined ? "" : ` leaf ${difference.leafIndex}`,
    difference.receiptId === undefined ? "" : ` receipt ${difference.receiptId}`,
  ].join("");
  return `DIFFERS ${what}${gone}\n        ${difference.message}${place ? ` (${place.trim()})` : ""}`;
}

/** Exit code: 0 all logs follow from their receipts, 1 one does not. What keeps it from telling is thrown. */
export async function fsck(config: Config, json: boolean, print: (text: string) => void): Promise<0 | 1> {
  const { store } = config;
  const db = await openDatabase({
    store: store.kind === "pglite" ? store : { ...store, url: store.url.reveal() },
  });
  try {
    const onLog = (findings: LogFindings): void => print(lineOf(findings));
    const findings = await checkLogs({ db, ...(json ? {} : { onLog }) });
    const ok = findings.every(({ difference }) => difference === null);
    if (json) print(JSON.stringify({ ok, logs: findings.map(shown) }, null, 2));
    else
      print(
        ok
          ? `${findings.length} logs follow from their receipts.`
          : "A log differs: docs/runbooks/log-refuses-to-sign.md",
      );
    return ok ? 0 : 1;
  } finally {
    await db.close();
  }
}
