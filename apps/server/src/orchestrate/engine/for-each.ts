/** A step with `forEach`: from its expression to items, and from their results to the step's. */
import { type ItemValue, maxItems } from "./items.ts";
import { type Attempt, completeStep, failStep } from "./step-end.ts";

/** Finds out what the items are. They are launched once the step is `running` and its items are known. */
export async function expandItems(attempt: Attempt): Promise<void> {
  const { execution, step } = attempt;
  if (!step.forEach) throw new Error(`step ${step.name} has no forEach`);
  const scope = execution.state.scope;
  const values = await step.forEach.items.render(scope);
  if (!Array.isArray(values)) {
    const message = `forEach.items gave ${values === null || values === undefined ? "nothing" : typeof values}; it must give a list.`;
    return failStep(attempt, { error: { code: "FOREACH_NOT_A_LIST", message } });
  }
  if (values.length > maxItems) {
    const message = `forEach.items gave ${values.length} items; at most ${maxItems} are allowed.`;
    return failStep(attempt, { error: { code: "FOREACH_TOO_MANY", message } });
  }
  const items: ItemValue[] = [];
  const seen = new Set<string>();
  for (const [index, item] of values.entries()) {
    const rendered = step.forEach.key ? await step.forEach.key.render({ ...scope, item, index }) : index;
    const key = typeof rendered === "number" || typeof rendered === "string" ? String(rendered) : undefined;
    if (key === undefined || seen.has(key)) {
      const what = key === undefined ? "is neither a text nor a number" : `"${key}" stands twice`;
      const message = `The key of item ${index} ${what}; keys tell the items of one step apart.`;
      return failStep(attempt, { error: { code: "FOREACH_KEY", message } });
    }
    seen.add(key);
    items.push({ item, index, key });
  }
  execution.state.items(step).expand(items);
}

/** Every item is over: the step completes with their outputs, or fails with the first failure. */
export async function joinItems(attempt: Attempt): Promise<void> {
  const { execution, step } = attempt;
  const items = execution.state.items(step);
  const errors = items.errors();
  const [first] = errors;
  if (first && step.forEach?.onItemError === "fail") {
    const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
    const message = `Item ${first.index} (${first.key}): ${first.message}${more}`;
    return failStep(attempt, { error: { ...first, message } });
  }
  return completeStep(attempt, items.outputs());
}
