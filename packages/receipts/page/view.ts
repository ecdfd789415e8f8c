/** What the page shows. Values from files become text nodes only, never markup. */
import type { Check, PackReport, ReceiptReport, Verdict } from "../src/index.ts";
import { checkNames, packCheckNames } from "../src/index.ts";
import type { JudgedChain, Judgement, Keys, Problem } from "./judge.ts";
import {
  answers,
  gapQuestion,
  marks,
  packQuestions,
  type Question,
  receiptQuestions,
  verdictSentences,
  verdictWords,
} from "./words.ts";

type Content = Node | string | undefined;

/** An element with its class and content. */
function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  className: string,
  ...content: readonly Content[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  if (className !== "") element.className = className;
  element.append(...content.filter((part) => part !== undefined).map(printable));
  return element;
}

/** Text of files without what turns around or hides the text beside it. */
const printable = (part: Node | string): Node | string =>
  typeof part === "string"
    ? part.replaceAll(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu, (c) => (c === "\n" ? c : "\ufffd"))
    : part;

const badge = (kind: Check["status"] | Verdict, word: string): HTMLElement => {
  const mark = make("span", "", `${marks[kind]} `);
  mark.ariaHidden = "true";
  return make("span", `badge ${kind}`, mark, word);
};

interface Asked {
  readonly name: string;
  readonly question: Question;
  readonly check: Check;
}

function checkTable(caption: string, asked: readonly Asked[]): HTMLElement {
  const head = make("tr", "", ...["Check", "Answer", "What is asked, and why"].map((t) => make("th", "", t)));
  for (const cell of head.cells) cell.scope = "col";
  const rows = asked.map(({ name, question, check }) => {
    const title = make("th", "", question.title);
    title.scope = "row";
    const why = make("span", "detail", check.detail);
    const row = make(
      "tr",
      "",
      title,
      make("td", "", badge(check.status, answers[check.status])),
      make("td", "", question.asks, make("br", ""), why),
    );
    row.dataset.check = name;
    row.dataset.status = check.status;
    return row;
  });
  const table = make("table", "", make("thead", "", head), make("tbody", "", ...rows));
  table.ariaLabel = caption;
  return table;
}

/** A card that is filled when it is first opened: there may be thousands of them. */
function card(
  verdict: Verdict,
  title: string,
  more: string,
  open: boolean,
  fill: () => readonly Content[],
): HTMLDetailsElement {
  const element = make(
    "details",
    "item",
    make(
      "summary",
      "",
      badge(verdict, verdictWords[verdict]),
      make("b", "", title),
      make("span", "soft", more),
    ),
  );
  element.dataset.verdict = verdict;
  const once = (): void => {
    if (element.open && element.childElementCount === 1) element.append(make("div", "inside", ...fill()));
  };
  element.addEventListener("toggle", once);
  element.open = open;
  once();
  return element;
}

const folded = (title: string, value: unknown): HTMLElement =>
  make("details", "", make("summary", "", title), make("pre", "", JSON.stringify(value, null, 2) ?? ""));

function receiptCard(place: string, report: ReceiptReport, open: boolean): HTMLElement {
  const { body, receiptId, disclosed, checks, verdict } = report;
  const id = receiptId ?? "A receipt that cannot be read";
  const stated = [body?.typ, body?.ts].filter((part) => typeof part === "string").join(", ");
  return card(verdict, id, [stated, place].filter(Boolean).join(" \u00b7 "), open, () => [
    checkTable(
      `Checks of ${id}`,
      checkNames.map((name) => ({ name, question: receiptQuestions[name], check: checks[name] })),
    ),
    Object.keys(disclosed).length > 0 ? folded("Values shown in clear", disclosed) : undefined,
    body === undefined
      ? undefined
      : folded(verdict === "verified" ? "What it says" : "What it says (do not believe it)", body),
  ]);
}

const mostActions = 500;
const worst: Readonly<Record<Check["status"], number>> = { failed: 0, undecidable: 1, absent: 2, ok: 3 };

/** Of all bundles together: actions that miss something come first. */
function chainsCard(chains: readonly JudgedChain[]): HTMLElement {
  const sorted = chains.toSorted((a, b) => worst[a.check.status] - worst[b.check.status]);
  const first = sorted[0]?.check.status;
  const verdict = first === "failed" ? "tampered" : first === "ok" ? "verified" : "undecidable";
  const whole = chains.filter(({ check }) => check.status === "ok").length;
  const more = sorted.length > mostActions ? `the first ${mostActions} are listed` : "";
  return card(
    verdict,
    `${whole} of ${chains.length} actions have all their receipts`,
    more,
    whole < chains.length,
    () => [
      checkTable(
        "Gaps, by action",
        sorted.slice(0, mostActions).map(({ actionId, check }) => ({
          name: "gaps",
          question: { ...gapQuestion, title: actionId },
          check,
        })),
      ),
    ],
  );
}

function packCard(place: string, { verdict, checks, manifest }: PackReport): HTMLElement {
  const about = manifest
    ? `${manifest.kind} of ${manifest.tenantId}, ${manifest.window.from} to ${manifest.window.to}`
    : "a pack that cannot be read";
  return card(verdict, manifest?.packId ?? place, `${about} \u00b7 ${place}`, true, () => [
    checkTable(
      `Checks of ${place}`,
      packCheckNames.map((name) => ({ name, question: packQuestions[name], check: checks[name] })),
    ),
    manifest && manifest.gaps.length > 0
      ? folded(`Controls without enough evidence (${manifest.gaps.length})`, manifest.gaps)
      : undefined,
    manifest ? folded("The signed list of contents", manifest) : undefined,
  ]);
}

const problemList = (problems: readonly Problem[]): HTMLElement =>
  make(
    "ul",
    "",
    ...problems.map(({ place, reason }) =>
      make("li", "", badge("undecidable", "Not read"), " ", make("b", "", place), `: ${reason}`),
    ),
  );

/** The keys that are believed, with what to compare with a second source. */
export function showKeys({ documents, problems }: Keys): readonly Node[] {
  const list = make(
    "ul",
    "",
    ...documents.map(({ tenantId, issuer, items }) =>
      make(
        "li",
        "",
        badge("ok", "Loaded"),
        " ",
        make("b", "", String(tenantId)),
        ` ${issuer}`,
        folded(
          `${items.length} keys; compare them with a second source`,
          items.map(({ use, status, keyId }) => ({ use, status, keyId })),
        ),
      ),
    ),
  );
  return [...(documents.length > 0 ? [list] : []), ...(problems.length > 0 ? [problemList(problems)] : [])];
}

function counts({ receipts, packs, chains }: Judgement): string {
  const of = (verdict: Verdict): number => receipts.filter(({ report }) => report.verdict === verdict).length;
  const missing = chains.filter(({ check }) => check.status === "failed").length;
  const parts = [
    receipts.length > 0
      ? `${receipts.length} ${receipts.length === 1 ? "receipt" : "receipts"}: ${of("verified")} verified, ${of("tampered")} not genuine, ${of("undecidable")} undecided`
      : "",
    chains.length > 0 ? `${chains.length} actions, ${missing} with gaps` : "",
    packs.length > 0 ? `${packs.length} ${packs.length === 1 ? "pack" : "packs"}` : "",
  ];
  return parts.filter((part) => part !== "").join("; ");
}

export function showSummary(judgement: Judgement, hasKeys: boolean): Node {
  const { verdict } = judgement;
  const mark = make("span", "", `${marks[verdict]} `);
  mark.ariaHidden = "true";
  const box = make(
    "section",
    `verdict ${verdict}`,
    make("strong", "", mark, verdictWords[verdict]),
    make("p", "", verdictSentences[verdict]),
    make("p", "", counts(judgement)),
    hasKeys ? undefined : make("p", "", "No keys are loaded, so no signature can be decided: step 1."),
    judgement.compared ? make("p", "", "Compared with the checkpoint of an earlier visit.") : undefined,
  );
  box.dataset.verdict = verdict;
  return box;
}

const pageSize = 200;
const urgency: Readonly<Record<Verdict, number>> = { tampered: 0, undecidable: 1, verified: 2 };

/** Receipts that are not verified come first. */
export function showResults({ receipts, chains, packs, problems }: Judgement): readonly Node[] {
  const sorted = receipts.toSorted((a, b) => urgency[a.report.verdict] - urgency[b.report.verdict]);
  const few = sorted.length <= 3;
  const box = make("div", "");
  const more = make("button", "", "Show more receipts");
  more.type = "button";
  let shown = 0;
  const showMore = (): void => {
    const next = sorted.slice(shown, shown + pageSize);
    box.append(
      ...next.map(({ place, report }, i) => receiptCard(place, report, few || (shown === 0 && i === 0))),
    );
    shown += next.length;
    more.hidden = shown >= sorted.length;
  };
  more.addEventListener("click", showMore);
  showMore();
  const section = (title: string, ...content: readonly Node[]): Node[] => [make("h3", "", title), ...content];
  return [
    ...(problems.length > 0 ? section("Not read", problemList(problems)) : []),
    ...(packs.length > 0 ? section("Packs", ...packs.map((p) => packCard(p.place, p.report))) : []),
    ...(chains.length > 0 ? section("Gaps", chainsCard(chains)) : []),
    ...(receipts.length > 0 ? section("Receipts", box, more) : []),
  ];
}
