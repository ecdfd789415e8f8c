/** The command line as users run it: a process of its own, with a configuration folder of its own. */
import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface CliOptions {
  /** Standard input; empty when absent. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with everything that came on standard output so far. */
  readonly onOutput?: (out: string) => void;
  /** What is run in place of the sources. */
  readonly command?: readonly string[];
}

export interface Cli {
  readonly folder: string;
  /** `args` as one line, or as a list where one of them holds spaces. */
  (args: string | readonly string[], options?: CliOptions): Promise<Ended>;
  /** Removes its folder; what `beforeAll` or `beforeEach` answers, so that it is called at the end. */
  remove(): Promise<void>;
}

export function createCli(env: Readonly<Record<string, string>> = {}): Cli {
  const folder = mkdtempSync(join(tmpdir(), "oars-cli-"));
  const run = (args: string | readonly string[], options: CliOptions = {}): Promise<Ended> => {
    const list = typeof args === "string" ? args.split(" ") : args;
    const command = options.command ?? ["--conditions=oars-source", main];
    const child = spawn(process.execPath, [...command, ...list], {
      cwd: folder,
      env: {
        HOME: folder,
        TZ: "UTC",
        OARS_CONFIG_DIR: join(folder, "config"),
        ...env,
        ...options.env,
      },
    });
    child.stdin.on("error", () => {}); // a command that reads no input may end before it is written
    child.stdin.end(options.input ?? "");
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
      options.onOutput?.(out);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      err += text;
    });
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => resolve({ code, out, err }));
    });
  };
  return Object.assign(run, { folder, remove: () => rm(folder, { recursive: true, force: true }) });
}
