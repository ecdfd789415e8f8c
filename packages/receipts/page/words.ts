/** What the checks ask, and what their answers mean, for people who have never seen a receipt. */
import type { Check, CheckName, packCheckNames, Verdict } from "../src/index.ts";

export interface Question {
  readonly title: string;
  readonly asks: string;
}

export const receiptQuestions: Readonly<Record<CheckName, Question>> = {
  signature: {
    title: "Signature",
    asks: "Did a key of the tenant sign exactly these bytes?",
  },
  canonicalForm: {
    title: "Canonical form",
    asks: "Is it written in the one way that leaves nothing to interpret?",
  },
  schema: {
    title: "Format",
    asks: "Is it a receipt of a version that this page knows?",
  },
  inclusion: {
    title: "Inclusion",
    asks: "Is it in the tenant's log, at the place that it claims?",
  },
  checkpoint: {
    title: "Checkpoint",
    asks: "Did the log sign the head that the place is proven against?",
  },
  consistency: {
    title: "Consistency",
    asks: "Has the log only grown since the checkpoint of an earlier visit?",
  },
  disclosures: {
    title: "Disclosures",
    asks: "Are the values shown in clear those that were signed?",
  },
  witness: {
    title: "Witnesses",
    asks: "Did others than the tenant sign the head of the log?",
  },
};

export const gapQuestion: Question = {
  title: "Gaps",
  asks: "Is every receipt there that this action must have?",
};

export const packQuestions: Readonly<Record<(typeof packCheckNames)[number], Question>> = {
  manifest: { title: "Signature", asks: "Did a key of the tenant sign the pack's list of contents?" },
  files: { title: "Files", asks: "Is each file as it was signed, none added and none missing?" },
  checkpoint: { title: "Checkpoint", asks: "Did the log sign the head that the pack rests on?" },
  population: { title: "Gaps", asks: "Are the receipts all those of their part of the log, none left out?" },
  receipts: { title: "Receipts", asks: "Is each receipt in it genuine?" },
  controls: { title: "Controls", asks: "Do coverage, gaps and figures follow from the receipts?" },
  samples: { title: "Samples", asks: "Are the samples those of the draw, each with its proof?" },
  consistency: { title: "Consistency", asks: "Has the log only grown since the pack before?" },
};

export const answers: Readonly<Record<Check["status"], string>> = {
  ok: "Yes",
  failed: "No",
  undecidable: "Cannot tell",
  absent: "Nothing to check",
};

export const verdictWords: Readonly<Record<Verdict, string>> = {
  verified: "Verified",
  tampered: "Not genuine",
  undecidable: "Undecided",
};

/** The sentence at the top. */
export const verdictSentences: Readonly<Record<Verdict, string>> = {
  verified: "Everything here was signed by these keys, and nothing was changed since.",
  tampered: "At least one thing here is proven to be changed, forged or incomplete. See what is red below.",
  undecidable:
    "Nothing is proven to be wrong, but not everything could be decided. See what is missing below.",
};

export const marks: Readonly<Record<Check["status"] | Verdict, string>> = {
  ok: "\u2713",
  verified: "\u2713",
  failed: "\u2717",
  tampered: "\u2717",
  undecidable: "?",
  absent: "\u2013",
};
