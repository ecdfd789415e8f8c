/** Flows with steps of every kind for servers that are killed, and what each run of them must come to. */
import type { Caller } from "#platform/access";
import type { App } from "../compose.ts";

const send = (connection: "wms" | "mail", step: string, more: Record<string, unknown> = {}) => ({
  use: "http.request",
  with: {
    connection,
    method: "POST",
    path: `/${connection}/${step}`,
    body: { k: `{{ run.id }}/${step}`, v: "{{ params.v }}", ...more },
  },
});

export const callSecret = { name: "crash-hmac", value: "a shared secret of the caller" } as const;

const grandchild = {
  params: { v: { type: "string" } },
  steps: {
    ship: send("wms", "ship"),
    nap: { use: "wait", needs: ["ship"], with: { for: "10ms" } },
    out: { use: "noop", needs: ["nap"], with: { output: "{{ params.v & '/grandchild' }}" } },
  },
};

const child = {
  params: { v: { type: "string" } },
  steps: { sub: { use: "flow", with: { flow: "grandchild", params: { v: "{{ params.v }}" } } } },
};

const item = send("wms", "item");
const everything = {
  params: { v: { type: "string" } },
  limits: { parallel: 16 },
  steps: {
    first: { use: "noop", durable: true, with: { output: "{{ params.v }}" } },
    busy: {
      ...send("wms", "busy", { busy: true }),
      needs: ["first"],
      retry: { attempts: 3, backoff: "fixed", initial: "5ms" },
    },
    mail: { ...send("mail", "mail"), needs: ["first"] },
    held: { ...send("wms", "held", { hold: true }), needs: ["first"] },
    each: {
      ...item,
      needs: ["first"],
      forEach: { items: [1, 2, 3, 4], concurrency: 2 },
      with: { ...item.with, body: { ...item.with.body, k: "{{ run.id }}/item/{{ index }}" } },
    },
    known: { ...send("wms", "known"), needs: ["first"], cache: { ttl: "1h" } },
    sub: { use: "flow", needs: ["first"], with: { flow: "child", params: { v: "{{ params.v }}" } } },
    nap: { use: "wait", needs: ["first"], with: { for: "20ms" } },
    paid: { use: "wait", needs: ["first"], with: { signal: "paid" } },
    ask: { use: "noop", needs: ["first"], with: { output: 1 }, gate: { question: "Go on?" } },
    silent: {
      use: "noop",
      needs: ["first"],
      with: { output: 2 },
      gate: { question: "Go on?", timeout: "20ms", default: "continue" },
    },
    last: {
      use: "noop",
      needs: ["busy", "mail", "held", "each", "known", "sub", "nap", "paid", "ask", "silent"],
      durable: true,
      with: {
        output:
          "{{ $join([params.v, steps.busy.status, steps.mail.status, steps.held.status, $string($count(steps.each.output)), steps.known.status, steps.sub.output, steps.nap.status, steps.paid.output, $string(steps.ask.output + steps.silent.output)], ' ') }}",
      },
    },
  },
};

/** It fails at first, and goes on once somebody mends the input. */
const mended = {
  params: { v: { type: "string" } },
  steps: {
    before: { ...send("wms", "before") },
    parse: { use: "json.parse", needs: ["before"], with: { text: "{" } },
    after: { use: "noop", needs: ["parse"], with: { output: "{{ params.v & ' ' & steps.parse.output }}" } },
  },
};

/** It fails while a sub-run of it goes on for long, and an approval is asked for. */
const doomed = {
  params: { v: { type: "string" } },
  steps: {
    slow: { use: "flow", with: { flow: "slow" } },
    never: send("wms", "never", { hold: true }),
    nap: { use: "wait", with: { for: "15ms" } },
    parse: { use: "json.parse", needs: ["nap"], with: { text: "{" } },
  },
};

/** One at a time. */
const keyed = {
  params: { v: { type: "string" } },
  concurrency: { key: "one" },
  steps: { ship: send("wms", "keyed") },
  output: "{{ params.v }}",
};

/** It takes no key: killed in the middle of it, nobody knows whether it arrived. */
const letter = {
  params: { v: { type: "string" } },
  steps: { mail: send("mail", "mail") },
  output: "{{ params.v }}",
};

/** The same for one that a webhook starts. */
const called = {
  ...letter,
  triggers: [
    {
      webhook: {
        slug: "crash",
        auth: { hmac: { secret: `vault:${callSecret.name}` } },
        params: { v: "{{ trigger.json.v }}" },
      },
    },
  ],
  steps: { note: { use: "noop", durable: true }, ship: send("wms", "called") },
};

const flows = {
  slow: { steps: { nap: { use: "wait", with: { for: "1h" } } } },
  grandchild,
  child,
  everything,
  mended,
  doomed,
  keyed,
  letter,
  called,
};

export async function publishCrashFlows(app: App, admin: Caller): Promise<void> {
  await app.db.tx(admin.tenantId, (tx) =>
    app.vault.putSecret(tx, admin.tenantId, callSecret.name, callSecret.value, admin.principalId),
  );
  for (const [flow, definition] of Object.entries(flows))
    await app.flows.publish(admin, JSON.stringify({ flow, version: "1.0.0", ...definition }));
}

export type CrashRun = "everything" | "mended" | "doomed" | "keyed" | "letter" | "called";

export interface Due {
  readonly status: string;
  readonly output: unknown;
  readonly code?: string;
}

export function dueOf(flow: CrashRun, v: string): Due {
  switch (flow) {
    case "everything": {
      const output = `${v} completed completed completed 4 completed ${v}/grandchild completed paid 3`;
      return { status: "completed", output };
    }
    case "mended":
      return { status: "completed", output: `${v} mended` };
    case "doomed":
      return { status: "failed", output: null, code: "JSON_MALFORMED" };
    case "keyed":
    case "letter":
    case "called":
      return { status: "completed", output: v };
  }
}
