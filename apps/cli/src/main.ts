/** The only file that reads the environment. */
import { runCli } from "./program.ts";
import { createTerminal } from "./terminal.ts";

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
