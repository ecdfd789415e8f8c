/**
 * Preparsed policy sets. The engine keeps them by name and has no call to drop one, so names come from a
 * fixed pool, and a set is dropped by parsing the empty set over its name.
 *
 * A slot is keyed by its content (bundle digest, slice), so the sets of an old and a new bundle stand side
 * by side while a publish takes over, and a decision can never meet a set of another bundle.
 * Bounds: `maxSlots` names, `maxPolicies` policies in all (about 4.3 KB each, measured), and of both at most
 * a quarter for one bundle, so that a tenant with many tools cannot push out the others. Least recently used
 * goes first.
 */
import type { Engine } from "./engine.ts";

export interface Slots {
  /**
   * The name under which the set stands in the engine, parsing it if need be. Valid until the next call.
   * Throws when the engine refuses the set, and EngineCrash.
   */
  ensure(bundle: string, slice: string, policies: () => Record<string, string>): string;
  readonly size: number;
}

interface Slot {
  readonly name: string;
  readonly bundle: string;
  readonly weight: number;
}

export function createSlots(
  engine: Engine,
  { maxSlots = 1024, maxPolicies = 20_000 }: { maxSlots?: number; maxPolicies?: number } = {},
): Slots {
  const slots = new Map<string, Slot>(); // in order of use, oldest first
  const totals = { slots: 0, weight: 0 };
  const shares = new Map<string, { slots: number; weight: number }>();
  const free: string[] = [];
  let named = 0;
  let generation = engine.generation();

  const forget = (): void => {
    slots.clear();
    shares.clear();
    free.length = 0;
    named = 0;
    Object.assign(totals, { slots: 0, weight: 0 });
    generation = engine.generation();
  };
  const count = (slot: Slot, sign: 1 | -1): void => {
    const share = shares.get(slot.bundle) ?? { slots: 0, weight: 0 };
    for (const sum of [totals, share]) {
      sum.slots += sign;
      sum.weight += sign * slot.weight;
    }
    if (share.slots === 0) shares.delete(slot.bundle);
    else shares.set(slot.bundle, share);
  };
  const drop = (key: string, slot: Slot): void => {
    slots.delete(key);
    count(slot, -1);
    free.push(slot.name);
    engine.use((cedar) => cedar.preparsePolicySet(slot.name, { staticPolicies: {} }));
  };
  const makeRoom = (bundle: string, weight: number): void => {
    const over = (sum: { slots: number; weight: number } | undefined, part: number): boolean =>
      sum !== undefined &&
      sum.slots > 0 &&
      (sum.slots + 1 > maxSlots / part || sum.weight + weight > maxPolicies / part);
    for (const [key, slot] of slots) {
      if (!over(shares.get(bundle), 4)) break;
      if (slot.bundle === bundle) drop(key, slot);
    }
    for (const [key, slot] of slots) {
      if (!over(totals, 1)) break;
      drop(key, slot);
    }
  };

  return {
    get size() {
      return slots.size;
    },
    ensure(bundle, slice, policies) {
      if (engine.generation() !== generation) forget();
      const key = `${bundle} ${slice}`;
      const found = slots.get(key);
      if (found !== undefined) {
        slots.delete(key);
        slots.set(key, found);
        return found.name;
      }
      const set = policies();
      const weight = Object.keys(set).length;
      makeRoom(bundle, weight);
      const name = free.pop() ?? `oars-${named++}`;
      const answer = engine.use((cedar) => cedar.preparsePolicySet(name, { staticPolicies: set }));
      if (answer.type === "failure") {
        free.push(name);
        throw new Error(`the policies cannot be read: ${answer.errors.map((e) => e.message).join("; ")}`);
      }
      const slot = { name, bundle, weight };
      slots.set(key, slot);
      count(slot, 1);
      return name;
    },
  };
}
