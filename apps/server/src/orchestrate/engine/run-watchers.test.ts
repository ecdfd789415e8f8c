import { afterEach, describe, expect, it } from "vitest";
import { RunWatchers } from "./run-watchers.ts";

describe("those who follow runs", () => {
  const open: RunWatchers[] = [];
  let at = 0;
  const make = () => {
    const said: string[] = [];
    const watchers = new RunWatchers({
      sayWatched: (id) => said.push(`watched ${id}`),
      sayNews: (id) => said.push(`news ${id}`),
      now: () => at,
    });
    open.push(watchers);
    return { watchers, said };
  };
  afterEach(() => {
    for (const watchers of open.splice(0)) watchers.close();
  });

  it("hear of news of their run and of no other, until they stop", () => {
    const { watchers, said } = make();
    const heard: string[] = [];
    const stopOne = watchers.watch("a", () => heard.push("one"));
    const stopTwo = watchers.watch("a", () => heard.push("two"));
    watchers.watch("b", () => heard.push("other"));
    watchers.tell("a");
    watchers.heardNews("b");
    stopOne();
    watchers.heardNews("a");
    stopTwo();
    watchers.tell("a");
    expect(heard).toEqual(["one", "two", "other", "two"]);
    expect(said).toEqual(["watched a", "watched b"]); // once for each run
  });

  it("look anew when hints may have been lost", () => {
    const { watchers } = make();
    let heard = 0;
    for (const run of ["a", "b", "c"]) watchers.watch(run, () => heard++);
    watchers.heardNews("");
    expect(heard).toBe(3);
  });

  it("in other processes are told for as long as they say so, and at once what they may have missed", () => {
    const { watchers, said } = make();
    watchers.tell("a");
    watchers.heardWatched("a", false);
    watchers.tell("a");
    watchers.heardWatched("b", true);
    at += 59_000;
    watchers.tell("a");
    at += 2_000;
    watchers.tell("a");
    expect(said).toEqual(["news a", "news b", "news a"]);
  });

  it("in other processes fill no memory, however many they are", () => {
    const { watchers, said } = make();
    for (let i = 0; i < 25_000; i++) watchers.heardWatched(`run ${i}`, false);
    watchers.tell("run 24999");
    watchers.tell("run 1");
    expect(said).toEqual(["news run 24999"]);
  });
});
