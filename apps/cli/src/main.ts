/** The only file that reads the environment. */
import module from "node:module";
import { join } from "node:path";

// Compiled once and kept beside the code: a command takes a third of the time. Where that cannot be written,
// as in an installation of somebody else's, it is as before. Node 20 does not have it.
module.enableCompileCache?.(join(import.meta.dirname, "../node_modules/.cache"));
const { runCli } = await import("./program.ts");
const { createTerminal } = await import("./terminal.ts");

// whoever reads the output may stop early, as `head` does
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

process.exitCode = await runCli(process.argv.slice(2), {
  terminal: createTerminal(process.stdin, process.stdout, process.stderr),
  env: process.env,
  now: () => new Date(),
});
