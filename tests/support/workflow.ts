/**
 * Jobs of GitHub Actions, run by a shell that stands in for the runner: steps in order, their `env`, their
 * `if`, the files `GITHUB_OUTPUT`, `GITHUB_PATH` and `GITHUB_STEP_SUMMARY`, and composite actions in
 * this repository. Other people's actions are not run; the test says what stands for them.
 *
 * Of expressions there are contexts (`inputs.x`, `steps.x.outputs.y`, `secrets.x`, `github.x`), their
 * comparison with a text, and `always()`. Source: "Workflow syntax" and "Metadata syntax" of GitHub.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parse } from "yaml";

export interface Step {
  readonly id?: string;
  readonly name?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly shell?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly with?: Readonly<Record<string, unknown>>;
}

export interface Job {
  readonly steps: readonly Step[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Workflow {
  readonly name: string;
  readonly jobs: Readonly<Record<string, Job>>;
}

export interface Action {
  readonly inputs: Readonly<Record<string, { required?: boolean; default?: string }>>;
  readonly outputs: Readonly<Record<string, { value: string }>>;
  readonly runs: { readonly using: string; readonly steps: readonly Step[] };
}

/** A workflow or an action from its text. */
export function readYaml<T>(text: string): T {
  return parse(text) as T;
}

/** The workflows that a page of the documentation shows, by name. */
export function workflowsOf(page: string): Map<string, Workflow> {
  const blocks = page.matchAll(/^```yaml\n(.*?)^```$/gms);
  const workflows = blocks.map(([, text]) => readYaml<Workflow>(text)).toArray();
  return new Map(workflows.map((workflow) => [workflow.name, workflow]));
}

/** Where scripts of steps have an expression in their text, which a stranger's value could leave. */
export function interpolations(steps: readonly Step[]): string[] {
  return steps.flatMap(({ run = "" }) => run.match(/\$\{\{.*?\}\}/g) ?? []);
}

type Contexts = Readonly<Record<string, unknown>>;

export interface RunnerOptions {
  /** Where the job works, and where the runner keeps its own files. */
  readonly workspace: string;
  readonly temp: string;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, string>>;
  /** The action in this repository, and the folder that it is in. */
  readonly action: { readonly name: string; readonly definition: Action; readonly folder: string };
  /** What other people's actions are expected, by name without a version, and what they do. */
  readonly others: Readonly<Record<string, (inputs: Readonly<Record<string, unknown>>) => void>>;
}

/** What became of a step. */
export interface StepResult {
  readonly outcome: "success" | "failure" | "skipped";
  readonly outputs: Readonly<Record<string, string>>;
  /** Everything that its scripts printed. */
  readonly log: string;
}

export interface JobResult {
  readonly ok: boolean;
  /** By id, or by place from 0 where a step has none. */
  readonly steps: ReadonlyMap<string, StepResult>;
  readonly summary: string;
}

export class Runner {
  readonly #options: RunnerOptions;
  readonly #paths: string[] = [];
  readonly #summary: string;
  #files = 0;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#summary = join(options.temp, "summary.md");
    Deno.writeTextFileSync(this.#summary, "");
  }

  async run({ steps, env = {} }: Job): Promise<JobResult> {
    const github = { run_id: "1", ref: "refs/heads/main" };
    const results = await this.#runSteps(steps, { github, secrets: this.#options.secrets }, env);
    const ok = [...results.values()].every(({ outcome }) => outcome !== "failure");
    return { ok, steps: results, summary: Deno.readTextFileSync(this.#summary) };
  }

  async #runSteps(steps: readonly Step[], contexts: Contexts, env: Contexts) {
    const results = new Map<string, StepResult>();
    let failed = false;
    for (const [place, step] of steps.entries()) {
      const known = { ...contexts, steps: Object.fromEntries(results) };
      const always = step.if === "always()";
      const wanted = always || !failed && (step.if === undefined || holds(step.if, known));
      const result: StepResult = wanted
        ? await this.#runStep(step, known, env)
        : { outcome: "skipped", outputs: {}, log: "" };
      if (result.outcome === "failure") failed = true;
      results.set(step.id ?? String(place), result);
    }
    return results;
  }

  async #runStep(step: Step, contexts: Contexts, jobEnv: Contexts): Promise<StepResult> {
    const env = fillAll({ ...jobEnv, ...step.env }, contexts);
    if (step.uses === undefined) return await this.#runScript(step, env);
    const inputs = fillAll(step.with ?? {}, contexts);
    const [name] = step.uses.split("@");
    const { action, others } = this.#options;
    if (name === action.name) return await this.#runAction(inputs);
    assert.ok(name in others, `${step.uses} is an action that the test knows of`);
    others[name](inputs);
    return { outcome: "success", outputs: {}, log: "" };
  }

  async #runAction(given: Readonly<Record<string, string>>): Promise<StepResult> {
    const { definition, folder } = this.#options.action;
    const { inputs: declared, outputs, runs } = definition;
    assert.equal(runs.using, "composite");
    for (const name of Object.keys(given)) assert.ok(name in declared, `there is an input ${name}`);
    const inputs = Object.fromEntries(
      Object.entries(declared).map(([name, input]) => {
        assert.ok(name in given || !input.required, `the input ${name} is given`);
        return [name, given[name] ?? input.default ?? ""];
      }),
    );
    const github = { action_path: folder };
    const results = await this.#runSteps(runs.steps, { inputs, github }, {});
    const known = { steps: Object.fromEntries(results) };
    const values = Object.entries(outputs).map(([name, { value }]) => [name, fill(value, known)]);
    const all = [...results.values()];
    return {
      outcome: all.some(({ outcome }) => outcome === "failure") ? "failure" : "success",
      outputs: Object.fromEntries(values),
      log: all.map(({ log }) => log).join(""),
    };
  }

  async #runScript(
    { run, shell = "bash" }: Step,
    env: Readonly<Record<string, string>>,
  ): Promise<StepResult> {
    assert.equal(shell, "bash");
    const { workspace, temp } = this.#options;
    const number = ++this.#files;
    const [script, output, path] = ["script", "output", "path"].map((what) => {
      const file = join(temp, `${what}-${number}`);
      Deno.writeTextFileSync(file, what === "script" ? run! : "");
      return file;
    });
    const path0 = this.#options.env.PATH;
    const command = new Deno.Command("bash", {
      args: ["--noprofile", "--norc", "-eo", "pipefail", script],
      cwd: workspace,
      clearEnv: true,
      env: {
        ...this.#options.env,
        PATH: [...this.#paths, path0].join(":"),
        CI: "true",
        GITHUB_ACTIONS: "true",
        GITHUB_WORKSPACE: workspace,
        GITHUB_OUTPUT: output,
        GITHUB_PATH: path,
        GITHUB_STEP_SUMMARY: this.#summary,
        RUNNER_TEMP: temp,
        ...env,
      },
    });
    const { success, stdout, stderr } = await command.output();
    this.#paths.unshift(...Deno.readTextFileSync(path).split("\n").filter((line) => line !== ""));
    return {
      outcome: success ? "success" : "failure",
      outputs: readOutputs(Deno.readTextFileSync(output)),
      log: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr),
    };
  }
}

/** `name=value`, or `name<<mark`, lines, and the mark again. */
export function readOutputs(text: string): Record<string, string> {
  const outputs: Record<string, string> = {};
  const lines = text.split("\n");
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    const [, name, mark] = /^([^=]+?)<<(.+)$/.exec(line) ?? [];
    if (mark !== undefined) {
      const end = lines.indexOf(mark);
      assert.ok(end >= 0, `the output ${name} ends`);
      outputs[name] = lines.splice(0, end + 1).slice(0, -1).join("\n");
    } else if (line !== "") {
      const at = line.indexOf("=");
      assert.ok(at > 0, `an output: ${line}`);
      outputs[line.slice(0, at)] = line.slice(at + 1);
    }
  }
  return outputs;
}

function fillAll(values: Contexts, contexts: Contexts): Record<string, string> {
  const filled = Object.entries(values).map((
    [name, value],
  ) => [name, fill(String(value), contexts)]);
  return Object.fromEntries(filled);
}

/** A text with its expressions worked out, once: what they give is not looked at again. */
function fill(text: string, contexts: Contexts): string {
  return text.replace(/\$\{\{(.*?)\}\}/g, (_, expression) => valueOf(expression.trim(), contexts));
}

function valueOf(expression: string, contexts: Contexts): string {
  let at: unknown = contexts;
  for (const name of expression.split(".")) {
    assert.match(name, /^[\w-]+$/, `an expression that the stand-in knows: ${expression}`);
    at = (at as Contexts | undefined)?.[name];
  }
  return at === undefined ? "" : String(at);
}

function holds(condition: string, contexts: Contexts): boolean {
  const [, expression, expected] = /^(\S+) == '(.*)'$/.exec(condition) ?? [];
  assert.ok(expression !== undefined, `a condition that the stand-in knows: ${condition}`);
  return valueOf(expression, contexts) === expected;
}
