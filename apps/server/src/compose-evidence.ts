/** Wires the room of evidence, and its part of the installation's background work. */
import type { Job } from "#platform/jobs";
import { createEvidence, type Evidence, type EvidenceDeps } from "#sign/evidence";

export const composeEvidence = (deps: EvidenceDeps): Evidence => createEvidence(deps);

export const evidenceJobs = (evidence: Pick<Evidence, "tag" | "tend">): Job[] => [
  {
    name: "control-tags",
    everyMs: 60_000,
    work: async () => ((await evidence.tag()) ? 0 : null),
  },
  {
    name: "evidence-packs",
    everyMs: 60_000,
    work: async () => {
      await evidence.tend();
      return null;
    },
  },
];
