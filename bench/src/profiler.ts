import { writeFile } from "node:fs/promises";
import { type Profiler, Session } from "node:inspector/promises";

/** CPU profiles of this process, in the format that Chrome DevTools and speedscope read. */
export function createProfiler(): { start(): Promise<void>; stop(path: string): Promise<void> } {
  let session: Session | undefined;
  return {
    start: async () => {
      session = new Session();
      session.connect();
      await session.post("Profiler.enable");
      await session.post("Profiler.setSamplingInterval", { interval: 500 });
      await session.post("Profiler.start");
    },
    stop: async (path) => {
      const stopped = await session?.post("Profiler.stop");
      session?.disconnect();
      if (stopped) await writeFile(path, JSON.stringify(stopped.profile));
    },
  };
}

export interface Cost {
  readonly name: string;
  /** Part of the CPU time of the process, waiting excluded: 0 to 1. */
  readonly share: number;
}

export interface ProfileSummary {
  /** Time in the function itself. */
  readonly self: readonly Cost[];
  /** Time in the function and in all that it calls; only of the repository's own files. */
  readonly inclusive: readonly Cost[];
}

/** Waiting, and starting the profiler itself. */
const ignored = new Set(["(idle)", "post"]);

/** The functions that cost most, named `function file:line`. */
export function summarize(profile: Profiler.Profile, count: number): ProfileSummary {
  const selfUs = new Map<number, number>();
  profile.samples?.forEach((id, i) => {
    selfUs.set(id, (selfUs.get(id) ?? 0) + (profile.timeDeltas?.[i] ?? 0));
  });
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const self = new Map<string, number>();
  const inclusive = new Map<string, number>();
  const add = (to: Map<string, number>, name: string, us: number): void => {
    to.set(name, (to.get(name) ?? 0) + us);
  };
  let busy = 0;
  const walk = (node: Profiler.ProfileNode, above: ReadonlySet<string>): void => {
    const name = nameOf(node);
    const us = selfUs.get(node.id) ?? 0;
    const path = new Set(above).add(name);
    if (!ignored.has(node.callFrame.functionName)) {
      busy += us;
      add(self, name, us);
      for (const one of path) add(inclusive, one, us);
    }
    for (const id of node.children ?? []) {
      const child = byId.get(id);
      if (child) walk(child, path);
    }
  };
  const [root] = profile.nodes;
  if (root) walk(root, new Set());
  const top = (costs: Map<string, number>, keep: (name: string) => boolean): Cost[] =>
    [...costs]
      .filter(([name]) => keep(name))
      .sort((a, b) => b[1] - a[1])
      .slice(0, count)
      .map(([name, us]) => ({ name, share: us / busy }));
  return {
    self: top(self, () => true),
    inclusive: top(inclusive, (name) => /(apps|packages)\//.test(name)),
  };
}

/** Files relative to the repository; of dependencies from the last node_modules on. */
function nameOf({ callFrame }: Profiler.ProfileNode): string {
  const { functionName, url, lineNumber } = callFrame;
  const file = url.replace(/^.*\/node_modules\//, "").replace(/^.*\/(?=(apps|packages|bench)\/)/, "");
  const name = functionName === "" ? "(anonymous)" : functionName;
  return file === "" ? name : `${name} ${file}:${lineNumber + 1}`;
}
