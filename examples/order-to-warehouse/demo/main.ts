/** `npm run demo`: the way of an order, on real processes and real HTTP. Exit 0 when every check held. */
import { inspect, parseArgs } from "node:util";
import { OarsApiError, OarsClientError } from "@oars/sdk";
import { CheckFailed, type Checks, createChecks } from "./check.ts";
import { createPrinter, type Printer, seconds } from "./print.ts";
import { logOf } from "./server.ts";
import { openStage, type Stage } from "./stage.ts";
import { largeOrder, wrongSignature } from "./steps-approval.ts";
import { killedInTheMiddle } from "./steps-crash.ts";
import { badDeliveries, otherDocuments, smallOrder } from "./steps-orders.ts";
import { receipts, verifyCommand } from "./steps-receipts.ts";
import { setUp, startBoth } from "./steps-setup.ts";

const interruptedExit = 130;
const noticeWithinMs = 1_000;

async function play(stage: Stage, print: Printer, checks: Checks): Promise<void> {
  const ready = await setUp(await startBoth(stage, print, checks));
  await smallOrder(ready);
  await otherDocuments(ready);
  const largeRun = await largeOrder(ready);
  await badDeliveries(ready);
  await wrongSignature(ready);
  const restarted = await killedInTheMiddle(ready);
  await receipts(restarted, largeRun);
}

/** A server that ends takes the requests to it down with it: then its end is the reason, not theirs. */
async function playOn(stage: Stage, print: Printer, checks: Checks): Promise<void> {
  try {
    await play(stage, print, checks);
  } catch (error) {
    if (error instanceof CheckFailed || error instanceof OarsApiError) throw error;
    await Promise.race([stage.broken, new Promise((done) => setTimeout(done, noticeWithinMs))]);
    throw error;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof CheckFailed || error instanceof OarsClientError) return error.message;
  if (!(error instanceof OarsApiError)) return inspect(error);
  return [error.message, ...error.errors.map((e) => `  ${e.path}: ${e.message}`)].join("\n");
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { keep: { type: "boolean", default: false } } });
  const print = createPrinter(process.stdout);
  const checks = createChecks(print);
  const started = performance.now();
  print.title("OARS: from a fulfilment document to a shipment");
  const stage = await openStage(values.keep);
  const interrupted = untilInterrupted();
  try {
    await Promise.race([playOn(stage, print, checks), stage.broken, interrupted]);
    await stage[Symbol.asyncDispose]();
    summary(print, checks, performance.now() - started, values.keep ? stage.place.dir : undefined);
    return 0;
  } catch (error) {
    await stage[Symbol.asyncDispose]();
    if (error === interruption) {
      process.stderr.write("\nInterrupted: the server has ended.\n");
      return interruptedExit;
    }
    process.stderr.write(`\nFAILED: ${reasonOf(error)}\n`);
    const log = values.keep ? `Its log: ${logOf(stage.place)}` : "`npm run demo -- --keep` keeps the log.";
    process.stderr.write(`${log}\n`);
    return 1;
  }
}

const interruption = new Error("interrupted");

/** Rejects at the first signal; a second one ends the demo at once, and its children with it. */
function untilInterrupted(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.once(signal, () => {
        reject(interruption);
        process.once(signal, () => process.exit(interruptedExit));
      });
    }
  });
}

function summary(print: Printer, checks: Checks, ms: number, kept: string | undefined): void {
  print.title(`All ${checks.count()} checks held, in ${seconds(ms)}.`);
  print.say(kept ? `Kept: ${kept}` : "The server has ended and its data directory is removed.");
  if (kept) print.say(`Verify: ${verifyCommand(kept)}`);
  print.title("What to try next");
  print.fields([
    ["npm start", "a server of your own; it prints its address and your key"],
    ["npm run demo -- --keep", "keeps the receipts, the keys, the data and the server's log"],
    ["examples/order-to-warehouse", "the flow, the policy, the connection and the documents of this demo"],
  ]);
}

process.exitCode = await main();
