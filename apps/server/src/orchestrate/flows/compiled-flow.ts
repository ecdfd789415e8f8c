/** What the engine runs: a checked definition with indexes instead of names, milliseconds, templates and every default filled in. */
import type { FlowDefinition, GateDecision } from "@oars/contract";
import type { Template } from "./template.ts";

export interface CompiledFlow {
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly definition: FlowDefinition;
  /** Topological: every step stands behind what it needs and behind what goes to it. */
  readonly steps: readonly CompiledStep[];
  readonly parallel: number;
  readonly timeoutMs: number;
  /** Runs of this flow that may be running at once, all workers together. */
  readonly maxRuns: number | null;
  /** Of its runs, unless their start says otherwise; -100 to 100. */
  readonly priority: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly concurrency: CompiledConcurrency | null;
  /** Names of the signals that its steps wait for, each with the JSON Schemas of its waits (null: any payload). */
  readonly signals: ReadonlyMap<string, readonly unknown[]>;
  readonly webhooks: readonly CompiledWebhook[];
  readonly output: Template | null;
}

export interface CompiledConcurrency {
  /** Reads `params` and `trigger` alone; renders to text. */
  readonly key: Template;
  readonly limit: number;
  readonly mode: "queue" | "cancel-oldest" | "reject";
}

export interface CompiledStep {
  readonly index: number;
  readonly name: string;
  readonly kind: string;
  readonly kindVersion: number;
  readonly pure: boolean;
  /** The step's result is on disk before anything that follows from it happens. True for every impure kind. */
  readonly durable: boolean;
  /** A goto target: it runs only when a step goes to it, and has no needs. */
  readonly handler: boolean;
  readonly needs: readonly number[];
  readonly dependents: readonly number[];
  /** Renders to true or false. */
  readonly when: Template | null;
  readonly forEach: CompiledForEach | null;
  /** Renders to the input of the kind, to be parsed by the kind's schema. With `forEach` it reads `item`, `index`, `key`. */
  readonly input: Template;
  readonly retry: {
    readonly attempts: number;
    readonly backoff: "fixed" | "exponential";
    readonly initialMs: number;
    readonly maxMs: number;
  };
  readonly timeoutMs: number | null;
  readonly onError:
    | { readonly do: "fail" | "continue" }
    | { readonly do: "goto"; readonly step: number }
    | { readonly do: "fallback"; readonly output: Template };
  readonly cache: { readonly ttlMs: number; readonly scope: "tenant" | "principal" } | null;
  readonly gate: CompiledGate | null;
  /** Whether an operator may skip it. */
  readonly skippable: boolean;
}

export interface CompiledForEach {
  /** Renders to the list, to be checked by the engine: it may render to anything. */
  readonly items: Template;
  readonly concurrency: number;
  /** Reads `item` and `index`; renders to text. */
  readonly key: Template | null;
  readonly onItemError: "fail" | "continue";
}

export interface CompiledGate {
  /** Reads `output`, that of the step itself; renders to text. */
  readonly question: Template;
  readonly options: readonly GateDecision[];
  /** Names of roles. */
  readonly approvers: readonly string[];
  readonly excludeRequester: boolean;
  readonly timeoutMs: number | null;
  readonly default: GateDecision | null;
}

export interface CompiledWebhook {
  readonly slug: string;
  /** Name of the vault's secret that signs requests. */
  readonly secret: string;
  /** Reads `trigger` alone; null when the request's JSON object is the parameters. */
  readonly params: Template | null;
  readonly respond: { readonly mode: "accepted" | "sync"; readonly timeoutMs: number };
}
