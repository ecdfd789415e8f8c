/** Fenced blocks of a Markdown text, as documents are executed by tests. */
export interface Block {
  /** First word after the fence: `sh`, `sql`, `yaml`. */
  readonly language: string;
  readonly text: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
  /** What an HTML comment alone on the line before says: `run`, `file flow.yaml`. Empty without one. */
  readonly mark: string;
}

const fence = /^```(\w*)\s*$/;

/** Every block in order. An open fence at the end of the text is a block as well. */
export function blocksOf(markdown: string): Block[] {
  const lines = markdown.split("\n");
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length; i += 1) {
    const language = fence.exec(lines[i] ?? "")?.[1];
    if (language === undefined) continue;
    const close = lines.indexOf("```", i + 1);
    const end = close === -1 ? lines.length : close;
    const mark = /^<!-- (.+) -->$/.exec(lines[i - 1] ?? "")?.[1] ?? "";
    blocks.push({ language, text: `${lines.slice(i + 1, end).join("\n")}\n`, line: i + 1, mark });
    i = end;
  }
  return blocks;
}
