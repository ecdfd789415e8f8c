import { z } from "zod";
import { principalId, runId, signalId } from "./id.ts";
import { instant, json } from "./scalar.ts";

export const signalName = z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]{0,62}$/, {
  error: "must start with a letter and hold at most 63 letters, digits, dots, dashes and underscores",
});

export const sendSignalRequest = z
  .strictObject({
    name: signalName,
    payload: json
      .optional()
      .meta({ description: "The output of the step that waits for it; null when absent." }),
  })
  .meta({ id: "SendSignalRequest" });

/** What was sent to a run under a name. One waiting step takes it, the oldest first; early ones are kept. */
export const signal = z
  .object({
    id: signalId,
    runId,
    name: z.string(),
    payload: json,
    sentBy: principalId,
    sentAt: instant,
    deliveredAt: instant.nullable(),
    step: z.string().nullable().meta({ description: "The step that took it." }),
    item: z.int().nullable(),
  })
  .meta({ id: "Signal" });

export type SendSignalRequest = z.input<typeof sendSignalRequest>;
export type Signal = z.infer<typeof signal>;
