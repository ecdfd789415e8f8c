/**
 * What can be read of a definition that may be wrong: the checks of meaning run over it, so that they
 * can go on where the schema has found faults. Fields of the wrong type are as if absent.
 */
export interface DraftStep {
  readonly name: string;
  readonly use: string | null;
  readonly config: unknown;
  readonly needs: readonly { readonly name: string; readonly index: number }[];
  readonly when: unknown;
  readonly goto: string | null;
  readonly fallback: { readonly value: unknown } | null;
  readonly retry: Record<string, unknown> | null;
  readonly forEach: Record<string, unknown> | null;
  readonly cache: Record<string, unknown> | null;
  readonly gate: Record<string, unknown> | null;
  readonly skippable: boolean;
  readonly durable: boolean | null;
}

export interface Draft {
  readonly steps: ReadonlyMap<string, DraftStep>;
  readonly params: ReadonlyMap<string, Record<string, unknown>>;
  readonly webhooks: readonly {
    readonly index: number;
    readonly slug: string | null;
    readonly params: Record<string, unknown> | null;
  }[];
  readonly concurrency: Record<string, unknown> | null;
  readonly output: unknown;
}

export function toDraft(data: unknown): Draft {
  const flow = objectOf(data) ?? {};
  const steps = Object.entries(objectOf(flow.steps) ?? {});
  const params = Object.entries(objectOf(flow.params) ?? {});
  const triggers: unknown[] = Array.isArray(flow.triggers) ? flow.triggers : [];
  return {
    steps: new Map(steps.map(([name, step]) => [name, toStep(name, step)])),
    params: new Map(params.map(([name, param]) => [name, objectOf(param) ?? {}])),
    webhooks: triggers.flatMap((trigger, index) => {
      const webhook = objectOf(objectOf(trigger)?.webhook);
      return webhook === null
        ? []
        : [{ index, slug: textOf(webhook.slug), params: objectOf(webhook.params) }];
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

const objectOf = (value: unknown): Record<string, unknown> | null =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null; // checked

const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null);
