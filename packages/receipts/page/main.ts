/** The page. Without a document, as in tests, it only offers what it decides by. */
import { type Given, judge, type Keys, readKeys } from "./judge.ts";
import { showKeys, showResults, showSummary } from "./view.ts";

export { judge, readKeys };

const byId = <E extends HTMLElement>(id: string): E => {
  const element = document.getElementById(id);
  if (!element) throw new TypeError(`the page has no ${id}`);
  return element as E; // page.html and this file are made for each other
};

const toGiven = (file: File): Given => ({
  name: file.name,
  size: file.size,
  readAt: async (at, length) => new Uint8Array(await file.slice(at, at + length).arrayBuffer()),
});

function start(): void {
  let keys: Keys = { documents: [], problems: [] };
  let evidence: readonly Given[] = [];
  let turn = 0;
  const show = async (): Promise<void> => {
    const mine = ++turn;
    byId("keys-list").replaceChildren(...showKeys(keys));
    if (evidence.length === 0) return;
    byId("evidence-list").textContent = evidence.map(({ name }) => name).join(", ");
    byId("summary").textContent = "Checking\u2026";
    byId("results").replaceChildren();
    const judgement = await judge(evidence, keys.documents);
    if (mine !== turn) return; // other files were chosen meanwhile
    byId("summary").replaceChildren(showSummary(judgement, keys.documents.length > 0));
    byId("results").replaceChildren(...showResults(judgement));
  };
  const run = (work: Promise<void>): void => {
    work.catch((error: unknown) => {
      byId("summary").textContent = `This page failed, so nothing is decided: ${String(error)}`;
      byId("results").replaceChildren();
    });
  };
  accept("keys", (files) =>
    run(
      readKeys(files).then((read) => {
        keys = read;
        return show();
      }),
    ),
  );
  accept("evidence", (files) => {
    evidence = files;
    run(show());
  });
  // A file that is dropped beside the boxes would be opened in place of the page.
  for (const name of ["dragover", "drop"] as const)
    document.addEventListener(name, (event) => event.preventDefault());
}

function accept(name: "keys" | "evidence", take: (files: readonly Given[]) => void): void {
  const input = byId<HTMLInputElement>(`${name}-input`);
  const box = byId(`${name}-drop`);
  const give = (files: FileList | undefined | null): void => {
    if (files && files.length > 0) take([...files].map(toGiven));
  };
  input.addEventListener("change", () => {
    give(input.files);
    input.value = ""; // so that choosing the same file again counts
  });
  box.addEventListener("dragover", () => box.classList.add("over"));
  box.addEventListener("dragleave", () => box.classList.remove("over"));
  box.addEventListener("drop", (event) => {
    box.classList.remove("over");
    give(event.dataTransfer?.files);
  });
}

if (globalThis.document) start();
