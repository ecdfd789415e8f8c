/**
 * The order of steps. Two kinds of edges: a step comes behind the steps it `needs`, and behind the
 * steps that go to it with `onError: {goto}`. Together they must not form a cycle.
 */
export interface Edge {
  /** The step that comes first. */
  readonly from: string;
  readonly to: string;
  readonly kind: "needs" | "goto";
}

export interface Graph {
  /** Steps so that each stands behind all its edges; ties in the order of names, so that equal content gives equal order. */
  readonly order: readonly string[];
  /** One cycle of each knot of steps, as the edges around it, last to first. */
  readonly cycles: readonly (readonly Edge[])[];
  /** True when `upstream` has always come before `step`: through needs and goto, any number of them. */
  isUpstream(upstream: string, step: string): boolean;
}

/** `edges` must join names of `names`. */
export function buildGraph(names: readonly string[], edges: readonly Edge[]): Graph {
  const incoming = Map.groupBy(edges, (edge) => edge.to);
  const outgoing = Map.groupBy(edges, (edge) => edge.from);
  const order = topological(names, incoming, outgoing);
  const left = new Set(names);
  for (const name of order) left.delete(name);
  const before = upstreamOf(order, incoming);
  return {
    order,
    cycles: findCycles(left, incoming),
    isUpstream: (upstream, step) => before.has(upstream, step),
  };
}

type EdgesOf = ReadonlyMap<string, readonly Edge[]>;

function topological(names: readonly string[], incoming: EdgesOf, outgoing: EdgesOf): string[] {
  const missing = new Map(names.map((name) => [name, incoming.get(name)?.length ?? 0]));
  let ready = names.filter((name) => missing.get(name) === 0).sort();
  const order: string[] = [];
  while (ready.length > 0) {
    const next: string[] = [];
    for (const name of ready) {
      order.push(name);
      for (const edge of outgoing.get(name) ?? []) {
        const count = (missing.get(edge.to) ?? 0) - 1;
        missing.set(edge.to, count);
        if (count === 0) next.push(edge.to);
      }
    }
    ready = next.sort();
  }
  return order;
}

/** One bit per pair of steps: 1,000 steps take 125 kB. */
function upstreamOf(order: readonly string[], incoming: EdgesOf) {
  const index = new Map(order.map((name, i) => [name, i]));
  const words = Math.ceil(order.length / 32);
  const bits = new Uint32Array(words * order.length);
  for (const [row, name] of order.entries()) {
    for (const { from } of incoming.get(name) ?? []) {
      const source = index.get(from);
      if (source === undefined) continue;
      for (let word = 0; word < words; word++) {
        bits[row * words + word] = (bits[row * words + word] ?? 0) | (bits[source * words + word] ?? 0);
      }
      const at = row * words + (source >>> 5);
      bits[at] = (bits[at] ?? 0) | (1 << (source & 31));
    }
  }
  return {
    has(upstream: string, step: string): boolean {
      const source = index.get(upstream);
      const row = index.get(step);
      if (source === undefined || row === undefined) return false;
      return ((bits[row * words + (source >>> 5)] ?? 0) & (1 << (source & 31))) !== 0;
    },
  };
}

/** One cycle of each knot: followed backwards inside the knot until a step repeats. */
function findCycles(left: ReadonlySet<string>, incoming: EdgesOf): Edge[][] {
  const cycles: Edge[][] = [];
  for (const knot of knotsOf(left, incoming)) {
    const trail: Edge[] = [];
    const at = new Map<string, number>();
    let name = [...knot].sort()[0] ?? "";
    while (!at.has(name)) {
      at.set(name, trail.length);
      const edge = (incoming.get(name) ?? []).find(({ from }) => knot.has(from));
      if (edge === undefined) break;
      trail.push(edge);
      name = edge.from;
    }
    cycles.push(trail.slice(at.get(name) ?? 0));
  }
  return cycles;
}

/** Strongly connected components of more than one step (Tarjan 1972), in the order of their first names. */
function knotsOf(left: ReadonlySet<string>, incoming: EdgesOf): Set<string>[] {
  const found: Set<string>[] = [];
  const indexOf = new Map<string, number>();
  const stack: string[] = [];
  const open = new Set<string>();
  const visit = (name: string): number => {
    const index = indexOf.size;
    indexOf.set(name, index);
    let lowest = index;
    stack.push(name);
    open.add(name);
    for (const { from } of incoming.get(name) ?? []) {
      if (!left.has(from)) continue;
      if (!indexOf.has(from)) lowest = Math.min(lowest, visit(from));
      else if (open.has(from)) lowest = Math.min(lowest, indexOf.get(from) ?? index);
    }
    if (lowest === index) {
      const knot = new Set(stack.splice(stack.indexOf(name)));
      for (const member of knot) open.delete(member);
      if (knot.size > 1) found.push(knot);
    }
    return lowest;
  };
  for (const name of [...left].sort()) if (!indexOf.has(name)) visit(name);
  return found;
}
