/**
 * Counters, gauges and histograms that cost an addition on the hot path. They stand in a prom-client registry
 * and are rendered by it; recording does not go through prom-client, whose bound children hash their labels
 * on every call (measured: 219 ns for inc and 246 ns for observe, against 5 and 6 ns here, 17 ns with the lookup).
 */
import type { Metric, Registry } from "prom-client";

export interface Counter {
  inc(by?: number): void;
}

export interface Gauge {
  set(value: number): void;
}

export interface Histogram {
  /** Seconds for durations, a plain number for sizes. */
  observe(value: number): void;
}

/**
 * `with` returns the child of these label values: keep it where the values are fixed. Beyond `maxSeries`
 * different combinations, new ones are counted together under the label value `other`.
 */
export interface Labelled<Labels extends readonly string[], Child> {
  with(...values: { readonly [K in keyof Labels]: string }): Child;
}

interface Sample {
  readonly metricName?: string;
  readonly labels: Record<string, string | number>;
  readonly value: number;
}

interface Series {
  samples(labels: Record<string, string>): Sample[];
}

class CounterSeries implements Counter, Gauge, Series {
  #value = 0;
  inc(by = 1): void {
    this.#value += by;
  }
  set(value: number): void {
    this.#value = value;
  }
  samples(labels: Record<string, string>): Sample[] {
    return [{ labels, value: this.#value }];
  }
}

class HistogramSeries implements Histogram, Series {
  readonly #name: string;
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(name: string, bounds: readonly number[]) {
    this.#name = name;
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let i = 0;
    while (i < bounds.length && value > (bounds[i] as number)) i++; // i < bounds.length
    (this.#counts[i] as number) += 1; // i <= bounds.length, one less than the counts
    this.#sum += value;
  }

  samples(labels: Record<string, string>): Sample[] {
    let total = 0;
    const buckets = [...this.#bounds, "+Inf"].map((le, i) => {
      total += this.#counts[i] ?? 0;
      return { metricName: `${this.#name}_bucket`, labels: { ...labels, le }, value: total };
    });
    return [
      ...buckets,
      { metricName: `${this.#name}_sum`, labels, value: this.#sum },
      { metricName: `${this.#name}_count`, labels, value: total },
    ];
  }
}

/** All series of one metric, found by their label values without building a key. */
class Family<Child extends Series> {
  readonly #root = new Map<string, unknown>();
  readonly #all: { readonly values: readonly string[]; readonly child: Child }[] = [];
  readonly #labels: readonly string[];
  readonly #maxSeries: number;
  readonly #make: () => Child;

  constructor(labels: readonly string[], maxSeries: number, make: () => Child) {
    this.#labels = labels;
    this.#maxSeries = maxSeries;
    this.#make = make;
  }

  with(...values: readonly string[]): Child {
    let node: unknown = this.#root;
    for (const value of values) node = (node as Map<string, unknown> | undefined)?.get(value); // one map for each label
    return (node as Child | undefined) ?? this.#add(values); // below the last label stand the children
  }

  samples(): Sample[] {
    return this.#all.flatMap(({ values, child }) =>
      child.samples(Object.fromEntries(this.#labels.map((label, i) => [label, values[i] ?? ""]))),
    );
  }

  #add(values: readonly string[]): Child {
    const other = values.map(() => "other");
    if (this.#all.length >= this.#maxSeries && values.some((value) => value !== "other"))
      return this.with(...other);
    const child = this.#make();
    this.#all.push({ values, child });
    let node = this.#root;
    for (const value of values.slice(0, -1)) {
      const next = (node.get(value) as Map<string, unknown> | undefined) ?? new Map<string, unknown>(); // inner level
      node.set(value, next);
      node = next;
    }
    node.set(values.at(-1) ?? "", child);
    return child;
  }
}

/** Makes the metrics of one registry. */
export function seriesIn(registry: Registry) {
  const register = (name: string, help: string, type: string, samples: () => Sample[]): void => {
    const metric = { name, help, type, aggregator: "sum", reset: () => undefined };
    const get = async () => ({ ...metric, values: samples() });
    registry.registerMetric({ ...metric, get } as unknown as Metric); // the registry reads only name and get()
  };
  const family = <Child extends Series>(
    [name, help, type]: readonly [string, string, string],
    labels: readonly string[],
    maxSeries: number,
    make: () => Child,
  ): Family<Child> => {
    const made = new Family(labels, maxSeries, make);
    register(name, help, type, () => made.samples());
    return made;
  };
  const alone = <Child extends Series>(name: string, help: string, type: string, child: Child): Child => {
    register(name, help, type, () => child.samples({}));
    return child;
  };
  return {
    counter: (name: string, help: string): Counter => alone(name, help, "counter", new CounterSeries()),
    gauge: (name: string, help: string): Gauge => alone(name, help, "gauge", new CounterSeries()),
    histogram: (name: string, help: string, bounds: readonly number[]): Histogram =>
      alone(name, help, "histogram", new HistogramSeries(name, bounds)),
    counters: <const L extends readonly string[]>(
      name: string,
      help: string,
      labels: L,
    ): Labelled<L, Counter> => family([name, help, "counter"], labels, 1_000, () => new CounterSeries()),
    histograms: <const L extends readonly string[]>(
      name: string,
      help: string,
      labels: L,
      bounds: readonly number[],
    ): Labelled<L, Histogram> =>
      family([name, help, "histogram"], labels, 200, () => new HistogramSeries(name, bounds)),
  };
}
