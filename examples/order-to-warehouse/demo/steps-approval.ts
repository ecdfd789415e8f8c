import type { OarsApiError } from "@oars/sdk";
import { present, refusalOf, until } from "./check.ts";
import { openShop, readExample } from "./orders.ts";
import { money } from "./print.ts";
import { allOf, outputOf, type Shipped, untilRun } from "./runs.ts";
import type { Play } from "./stage.ts";

/** Policy holds a large order until a person who did not request it approves. Answers its run. */
export async function largeOrder(play: Play): Promise<string> {
  const { admin, ana, checks, print, shop, stage } = play;
  const { warehouse } = stage;
  print.step("A large order waits for a person: 03-large-value.xml");
  const keysBefore = warehouse.seen.size;
  const { runId } = await shop.send(await readExample("documents/03-large-value.xml"));
  await untilRun(admin, runId, "waiting");
  checks.that(warehouse.seen.size === keysBefore, "the run is parked as waiting, and nothing was sent");

  const approval = await until("an approval for ana", 5_000, async () =>
    (await allOf(ana.approvals.list({ state: "pending" }))).find((a) => a.subject.runId === runId),
  );
  print.say("What ana sees:");
  print.fields([
    ["approval", approval.id],
    ["action", `${approval.subject.tool} to ${approval.subject.target}, ${approval.subject.environment}`],
    ["order value", money(Number(approval.subject.facts.orderValueMinor))],
    ["why", approval.reason],
    ["needs", approval.requirements.map((r) => `${r.quorum} of ${r.role}`).join(", ")],
    ["until", whenUtc(approval.expiresAt)],
    ["bound to", approval.actionDigest],
  ]);

  const vote = { decision: "approve", reason: "known customer, stock is there" } as const;
  const refused = await refusalOf(admin.approvals.decide(approval.id, vote));
  checks.that(refused.code === "APPROVAL_REQUESTER", `the requester is refused: ${said(refused)}`, refused);

  const decided = await ana.approvals.decide(approval.id, vote);
  print.say(`ana approves: "${present(decided.votes[0], "ana's vote").reason}"`);
  const run = await untilRun(admin, runId, "completed");
  const { body } = outputOf<Shipped>(run, "ship");
  const shipment = warehouse.shipments.find((s) => s.orderId === "SO-88122");
  checks.that(
    shipment?.shipmentId === body.shipmentId && warehouse.seen.get(shipment.key)?.requests === 1,
    `the run went on by itself and was sent once: ${body.shipmentId} from ${shipment?.warehouseId}`,
    shipment,
  );
  return runId;
}

/** A delivery that the shop did not sign. */
export async function wrongSignature(play: Play): Promise<void> {
  const { checks, print, server } = play;
  print.step("A webhook with a wrong signature");
  const stranger = openShop(server.url, "not the shop's secret");
  const refused = await refusalOf(stranger.send(await readExample("documents/01-small.xml")));
  checks.that(
    refused.status === 401 && refused.code === "WEBHOOK_SIGNATURE_INVALID",
    `it is refused: ${said(refused)}`,
    refused,
  );
}

const said = (refusal: OarsApiError): string => `${refusal.status} ${refusal.code}`;

function whenUtc(instant: string): string {
  const minutes = Math.round((Date.parse(instant) - Date.now()) / 60_000);
  return `${instant.slice(0, 19).replace("T", " ")} UTC, in ${minutes} min`;
}
