/**
 * What can be read of a definition that may be wrong: the checks of meaning run over it, so that they
 * can go on where the schema has found faults. Fields of the wrong type are as if absent.
 */
import { hasPlaceholder } from "./placeholders.ts";

type Fields = Readonly<Record<string, unknown>>;

export interface DraftStep {
  readonly name: string;
  readonly use: string | null;
  readonly config: unknown;
  readonly needs: readonly { readonly name: string; readonly index: number }[];
  readonly when: unknown;
  readonly goto: string | null;
  readonly fallback: { readonly value: unknown } | null;
  readonly retry: Fields | null;
  readonly forEach: Fields | null;
  readonly cache: Fields | null;
  readonly gate: Fields | null;
  readonly skippable: boolean;
  readonly durable: boolean | null;
}

export interface Draft {
  readonly name: string | null;
  readonly version: string | null;
  readonly steps: ReadonlyMap<string, DraftStep>;
  readonly params: ReadonlyMap<string, Fields>;
  readonly webhooks: readonly {
    readonly index: number;
    readonly slug: string | null;
    readonly params: Fields | null;
    readonly respond: Fields | null;
  }[];
  readonly concurrency: Fields | null;
  readonly output: unknown;
}

export function toDraft(data: unknown): Draft {
  const flow = objectOf(data) ?? {};
  const steps = Object.entries(objectOf(flow.steps) ?? {});
  const params = Object.entries(objectOf(flow.params) ?? {});
  const triggers: unknown[] = Array.isArray(flow.triggers) ? flow.triggers : [];
  return {
    name: textOf(flow.flow),
    version: textOf(flow.version),
    steps: new Map(steps.map(([name, step]) => [name, toStep(name, step)])),
    params: new Map(params.map(([name, param]) => [name, objectOf(param) ?? {}])),
    webhooks: triggers.flatMap((trigger, index) => {
      const webhook = objectOf(objectOf(trigger)?.webhook);
      if (webhook === null) return [];
      const { slug, params, respond } = webhook;
      return [{ index, slug: textOf(slug), params: objectOf(params), respond: objectOf(respond) }];
    }),
    concurrency: objectOf(flow.concurrency),
    output: flow.output,
  };
}

function toStep(name: string, value: unknown): DraftStep {
  const step = objectOf(value) ?? {};
  const onError = objectOf(step.onError);
  const needs: unknown[] = Array.isArray(step.needs) ? step.needs : [];
  return {
    name,
    use: textOf(step.use),
    config: step.with,
    needs: needs.flatMap((need, index) => (typeof need === "string" ? [{ name: need, index }] : [])),
    when: step.when,
    goto: textOf(onError?.goto),
    fallback: onError !== null && Object.hasOwn(onError, "fallback") ? { value: onError.fallback } : null,
    retry: objectOf(step.retry),
    forEach: objectOf(step.forEach),
    cache: objectOf(step.cache),
    gate: objectOf(step.gate),
    skippable: step.skippable === true,
    durable: typeof step.durable === "boolean" ? step.durable : null,
  };
}

/** The name of the kind without its version. */
export const kindName = ({ use }: DraftStep): string | null => use?.split("@")[0] ?? null;

export const objectOf = (value: unknown): Record<string, unknown> | null =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null; // checked

export const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null);

/** True when the value, or a part of it, comes from an expression. */
export const holdsPlaceholder = (value: unknown): boolean => {
  if (typeof value === "string") return hasPlaceholder(value);
  return typeof value === "object" && value !== null && Object.values(value).some(holdsPlaceholder);
};
