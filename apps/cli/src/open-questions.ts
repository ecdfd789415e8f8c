import { OarsApiError, type OarsClient } from "@oars/sdk";
import { clip, printable } from "./text.ts";

/** What a person must do before the run goes on; empty while it waits for a time alone, and where the key may not look. */
export async function openQuestions(client: OarsClient, run: string): Promise<string[]> {
  const asks: string[] = [];
  try {
    for await (const gate of client.gates.list({ run, status: "open" })) {
      asks.push(
        `It asks: ${clip(printable(gate.question), 200)} oars gate answer ${gate.id} ${gate.options.join("|")}`,
      );
    }
    for await (const action of client.actions.list({ run, state: "pending_approval" })) {
      asks.push(`It waits for a person: oars approve ${action.approvalId} --reason TEXT`);
    }
    for await (const action of client.actions.list({ run, state: "in_doubt" })) {
      asks.push(
        `Nobody knows whether ${action.id} was done: oars action resolve ${action.id} --outcome OUTCOME --reason TEXT`,
      );
    }
  } catch (error) {
    if (!(error instanceof OarsApiError && error.code === "AUTH_FORBIDDEN")) throw error;
  }
  return asks;
}
