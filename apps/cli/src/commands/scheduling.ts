import type { Scheduling } from "@oars/contract";
import { type Command, InvalidArgumentError } from "commander";
import { addCommand, addGroup, type CommandHost, wholeNumber } from "../command.ts";
import type { Session } from "../session.ts";
import { table } from "../text.ts";

export function addScheduling(program: Command, host: CommandHost): void {
  const scheduling = addGroup(program, "scheduling", "How tenants share the workers");
  addCommand(
    scheduling,
    host,
    "show",
    "Show the weight and the cap of this tenant, and what runs and waits",
    show,
  );
  addCommand(scheduling, host, "set", "Set the share of a tenant; needs the role platform_admin", set)
    .option("--tenant <id>", "of whom; the tenant of the key when absent")
    .option("--weight <n>", "runs in proportion to others, 0.01 to 1000", weight)
    .option("--max-running <n>", "runs that execute at once; none lifts the cap", cap);
}

interface SetOptions {
  readonly tenant?: string;
  readonly weight?: number;
  readonly maxRunning?: number | "none";
}

async function show(session: Session): Promise<void> {
  const share = await (await session.client()).scheduling.get();
  session.show(share, () => render(share));
}

async function set(session: Session, { tenant, weight: w, maxRunning }: SetOptions): Promise<void> {
  const share = await (await session.client()).scheduling.set({
    ...(tenant === undefined ? {} : { tenant }),
    ...(w === undefined ? {} : { weight: w }),
    ...(maxRunning === undefined ? {} : { maxRunning: maxRunning === "none" ? null : maxRunning }),
  });
  session.show(share, () => render(share));
}

const render = (s: Scheduling): string =>
  table([
    ["tenant", s.tenant],
    ["weight", String(s.weight)],
    ["most at once", s.maxRunning === null ? "no cap" : String(s.maxRunning)],
    ["running", String(s.running)],
    ["queued", s.queued === 10_000 ? "10000 or more" : String(s.queued)],
  ]);

function weight(text: string): number {
  const value = /^\d{1,4}(\.\d{1,4})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0.01 && value <= 1_000) return value;
  throw new InvalidArgumentError("It must be a number from 0.01 to 1000.");
}

const cap = (text: string): number | "none" => (text === "none" ? text : wholeNumber(1, 1_000_000)(text));
