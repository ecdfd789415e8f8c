/** What a connector must offer. A connector holds no state and no policy. */
import type { ZodType } from "zod";
import type { Json } from "#platform/kernel";
import type { Dialer } from "#platform/net";

export type FactValue = string | number | boolean;

/** A value that policy may read. `integer` is a whole number within ±(2^53 - 1). */
export interface FactSpec {
  readonly name: string;
  readonly type: "string" | "integer" | "boolean";
}

export interface ConnectionInfo {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly connector: string;
  /** As it was put: secrets stand in it by name. */
  readonly config: Readonly<Record<string, Json>>;
  readonly environment: string;
  /** 0 harmless to 100 most sensitive. */
  readonly risk: number;
  readonly dataTypes: readonly string[];
  /** What is always true of the system behind the connection. */
  readonly facts: Readonly<Record<string, FactValue>>;
  /** Its operations answer from the connector's emulation: no network, no secrets. */
  readonly emulate: boolean;
  /** Counts from 1, up by one with every put. */
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A connection ready for use: its config in the form that its connector works with. */
export interface Connection<Settings = unknown> extends ConnectionInfo {
  readonly settings: Settings;
}

export type AuthKind =
  | "none"
  | "bearer"
  | "basic"
  | "header"
  | "password"
  | "private_key"
  | "access_key"
  | "webhook_url"
  | "routing_key";

/** What a person reads before choosing a connector. */
export interface Manifest {
  /** Lower-case letters and digits: the first part of its operations' names. */
  readonly name: string;
  readonly title: string;
  /** One sentence: what it reaches. */
  readonly description: string;
  /** Where the interface of the outside system is described. */
  readonly docs: string;
  readonly auth: readonly AuthKind[];
}

/** Methods, not function properties: a connector of known settings stands where any connector is wanted. */
export interface Connector<Settings = unknown> extends Manifest {
  /** From the config as it is stored to the settings that operations get. Strict. */
  readonly configSchema: ZodType<Settings>;
  readonly operations: Readonly<Record<string, Operation>>;
  /** The facts that operations read from their input. */
  factSpecs(settings: Settings): readonly FactSpec[];
  /** The secrets that a config names. */
  secretNames(settings: Settings): readonly string[];
  /** Reaches the system with the connection's credentials and changes nothing there. */
  test(context: CallContext<Settings>): Promise<TestReport>;
  readonly fixtures: Fixtures;
}

/** Configs and inputs that work, for the conformance test, the guides and the emulation. */
export interface Fixtures {
  readonly config: Readonly<Record<string, Json>>;
  /** By operation: inputs without `connection`, and part of the shape that each must have. */
  readonly inputs: Readonly<
    Record<
      string,
      readonly { readonly input: Readonly<Record<string, Json>>; readonly shape: Partial<ActionShape> }[]
    >
  >;
}

/** Methods, not function properties: an operation of known settings stands where any operation is wanted. */
export interface Operation<Settings = unknown, Input = unknown> {
  /** `http.request`: connector and operation. */
  readonly name: string;
  readonly connector: string;
  readonly title: string;
  readonly description: string;
  /** Every verb that a call of it can turn out to have. */
  readonly verbs: readonly Verb[];
  /** Strict: unknown fields are problems. Has the field `connection`. */
  readonly input: ZodType<Input>;
  /** What a completed operation gives, emulated or not. */
  readonly output: ZodType;
  /** What would happen, for policy, approval and receipt. Throws ACTION_INVALID with every problem. */
  describe(connection: Connection<Settings>, input: Input): ActionShape;
  /** Never throws for what the outside does: that is an outcome. */
  execute(context: OperationContext<Settings>, input: Input): Promise<OperationOutcome>;
  /** An answer as the system could give it. Gets neither network nor secrets. */
  emulate(connection: Connection<Settings>, input: Input): { readonly [key: string]: Json };
}

export type Verb = "read" | "write" | "delete" | "execute" | "send" | "pay";

export interface ActionShape {
  readonly verb: Verb;
  /** `<connection>/<operation>`. */
  readonly tool: string;
  /** What is acted on, in one normal form: `wms.example.com/v1/shipments`. */
  readonly target: string;
  readonly environment: string;
  readonly risk: number;
  readonly dataTypes: readonly string[];
  /** Facts of the connection and of this input. */
  readonly facts: Readonly<Record<string, FactValue>>;
  /** True when sending it again with the same key has no second effect. */
  readonly idempotent: boolean;
}

/** The only ways out that a connector has. */
export interface CallContext<Settings = unknown> {
  readonly connection: Connection<Settings>;
  secrets(name: string): Promise<string>;
  readonly dialer: Pick<Dialer, "request" | "connect">;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface OperationContext<Settings = unknown> extends CallContext<Settings> {
  /** The same in every attempt of one effect. */
  readonly idempotencyKey: string;
}

export interface TestReport {
  readonly ok: boolean;
  /** One sentence: what answered, or what to change. */
  readonly message: string;
  /** The code of the failure. */
  readonly code?: string;
}

export interface StepError {
  readonly code: string;
  readonly message: string;
  readonly retry: "terminal" | "retryable";
  readonly retryAfterMs?: number;
  readonly line?: number;
  readonly column?: number;
  readonly path?: string;
  readonly details?: Json;
}

/**
 * `completed`: the effect happened. `failed`: it did not, or the other side said so. `unknown`: it may have
 * happened, and repeating it could make it happen twice.
 */
export type OperationOutcome =
  | { readonly status: "completed"; readonly output: Json; readonly http?: number }
  | {
      readonly status: "failed";
      readonly error: StepError;
      readonly http?: number;
      readonly retryable: boolean;
      readonly retryAfterMs?: number;
    }
  | { readonly status: "unknown"; readonly error: StepError };
