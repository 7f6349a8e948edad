// Tools, structured output, completions and tokens: what an answer may hold, and what is shown of
// what the model reads.
import assert from "node:assert/strict";
import {after, before, test} from "node:test";

import Ajv from "ajv";

import {joinChunks, post, readEvents, says, startServer} from "./lib/server.mjs";

let server;
const ajv = new Ajv({strict: false});
const kHello = [{role: "user", content: "hello"}];
const kTools = ["sun", "rain"].map((name) => ({type: "function", function: {name,
  parameters: {type: "object", additionalProperties: false, required: ["day"],
    properties: {day: {type: "integer", minimum: 1, maximum: 31}}}}}));

before(async () => {
  server = await startServer();
});
after(async () => assert.equal(await server.stop(), 0));

async function ask(path, body) {
  const reply = await post(`${server.url}${path}`, body);
  assert.equal(reply.status, 200, reply.text);
  return reply;
}

const request = (more) =>
  ({messages: kHello, reasoning_effort: "none", max_tokens: 400, ...more});

async function chat(more) {
  return (await ask("/v1/chat/completions", request(more))).body;
}

async function chatStream(more) {
  return readEvents((await ask("/v1/chat/completions", request({...more, stream: true}))).text);
}

async function complete(more) {
  return (await ask("/v1/completions", more)).body;
}

function assertCall(call) {
  assert.match(call.id, /^call_/);
  assert.equal(call.type, "function");
  assert.ok(["sun", "rain"].includes(call.function.name));
  const {day} = JSON.parse(call.function.arguments);
  assert.ok(Number.isInteger(day) && day >= 1 && day <= 31);
}

test("tool_choice required makes a valid call", async () => {
  const {choices: [choice]} = await chat({tools: kTools, tool_choice: "required"});
  assert.equal(choice.finish_reason, "tool_calls");
  assert.equal(choice.message.content, null);
  for (const call of choice.message.tool_calls) assertCall(call);
});

test("a named tool_choice calls that tool, once", async () => {
  for (const name of ["sun", "rain"]) {
    const {choices: [{message}]} = await chat(
      {tools: kTools, tool_choice: {type: "function", function: {name}}});
    assert.equal(message.tool_calls.length, 1);
    assert.equal(message.tool_calls[0].function.name, name);
  }
});

test("tool_choice none calls nothing", async () => {
  const {choices: [choice]} = await chat({tools: kTools, tool_choice: "none", max_tokens: 32});
  assert.notEqual(choice.finish_reason, "tool_calls");
  assert.equal(choice.message.tool_calls, undefined);
});

test("a call is only made where the tools are", async () => {
  const unknown = {type: "function", function: {name: "snow"}};
  for (const more of [{tool_choice: "required"}, {tools: kTools, tool_choice: unknown}]) {
    const {status, body} = await post(`${server.url}/v1/chat/completions`, request(more));
    assert.equal(status, 400);
    assert.equal(body.error.param, "tool_choice");
  }
});

test("without parallel calls there is one", async () => {
  for (const seed of [1, 2, 3]) {
    const {choices: [{message}]} = await chat(
      {tools: kTools, tool_choice: "required", parallel_tool_calls: false, seed});
    assert.equal(message.tool_calls.length, 1);
  }
});

test("streamed calls equal unstreamed ones", async () => {
  const more = {tools: kTools, tool_choice: "required", seed: 5};
  const {choices: [{message}]} = await chat(more);
  const joined = joinChunks(await chatStream(more));
  assert.equal(joined.finish, "tool_calls");
  assert.deepEqual(joined.calls.map(({name, arguments: text}) => [name, text]),
    message.tool_calls.map((call) => [call.function.name, call.function.arguments]));
  assert.equal(joined.content, "");
});

test("the ids of calls are never the same", async () => {
  const more = {tools: kTools, tool_choice: "required", seed: 5};
  const ids = [await chat(more), await chat(more)].map(
    ({choices: [{message}]}) => message.tool_calls[0].id);
  assert.notEqual(ids[0], ids[1]);
});

test("a conversation with calls and results is read", async () => {
  const {choices: [{message}]} = await chat({tools: kTools, tool_choice: "required"});
  const messages = [...kHello, message,
    ...message.tool_calls.map(({id}) => ({role: "tool", tool_call_id: id, content: "20"}))];
  const answer = await chat({messages, tools: kTools, response_format: says("Twenty."),
    tool_choice: "none"});
  assert.equal(answer.choices[0].message.content, "Twenty.");
});

const kSchemas = {
  object: {type: "object", additionalProperties: false, required: ["a", "b"],
    properties: {a: {type: "integer", minimum: 0, maximum: 999}, b: {type: "boolean"}}},
  enum: {enum: ["red", "green", {blue: 1}]},
  array: {type: "array", minItems: 2, maxItems: 4, items: {type: "integer", minimum: 0,
    maximum: 9}},
  nested: {type: "object", additionalProperties: false, required: ["list"], properties: {list: {
    type: "array", maxItems: 2, items: {type: "object", additionalProperties: false,
      required: ["k"], properties: {k: {enum: ["x", "y"]}}}}}},
  anyOf: {anyOf: [{type: "null"}, {type: "string", maxLength: 4}]},
};
for (const [name, schema] of Object.entries(kSchemas)) {
  test(`content follows a JSON schema: ${name}`, async () => {
    const formats = [{response_format: {type: "json_schema", json_schema: {name, schema}}},
      {json_schema: schema}];
    for (const more of formats) {
      const {choices: [choice]} = await chat(more);
      assert.equal(choice.finish_reason, "stop");
      assert.ok(ajv.validate(schema, JSON.parse(choice.message.content)), ajv.errorsText());
    }
  });
}

test("json_object gives an object, cut only by the limit", async () => {
  const {choices: [{message, finish_reason}]} = await chat(
    {response_format: {type: "json_object"}, max_tokens: 300});
  assert.ok(message.content.trimStart().startsWith("{"));
  if (finish_reason === "stop") assert.equal(typeof JSON.parse(message.content), "object");
});

test("content follows a grammar and a regular expression", async () => {
  const grammar = 'root ::= "yes " [0-9]+ | "no"';
  for (const more of [{grammar}, {response_format: {type: "grammar", grammar}}]) {
    const {choices: [choice]} = await chat({...more, max_tokens: 40});
    if (choice.finish_reason === "stop") assert.match(choice.message.content, /^(yes \d+|no)$/);
  }
  for (const more of [{regex: "[A-F]{3}-\\d\\d"},
    {response_format: {type: "regex", regex: "[A-F]{3}-\\d\\d"}}]) {
    assert.match((await chat(more)).choices[0].message.content, /^[A-F]{3}-\d\d$/);
  }
});

test("structured output is streamed as it is written", async () => {
  const more = {response_format: {type: "json_schema",
    json_schema: {name: "array", schema: kSchemas.array}}, seed: 4};
  const whole = await chat(more);
  assert.equal(joinChunks(await chatStream(more)).content, whole.choices[0].message.content);
});

test("a completion has its own shape", async () => {
  const body = await complete({prompt: "One", max_tokens: 4, temperature: 0});
  assert.match(body.id, /^cmpl-/);
  assert.equal(body.object, "text_completion");
  const [{index, text, logprobs, finish_reason}] = body.choices;
  assert.deepEqual([index, logprobs], [0, null]);
  assert.equal(typeof text, "string");
  assert.ok(["stop", "length"].includes(finish_reason));
  assert.ok(body.usage.completion_tokens <= 4);
});

test("a prompt may be text or its tokens", async () => {
  const prompt = "Once upon a time";
  const {tokens} = (await ask("/tokenize", {content: prompt})).body;
  const more = {max_tokens: 8, temperature: 0};
  const text = await complete({prompt, ...more});
  const ids = await complete({prompt: tokens, ...more});
  assert.equal(ids.choices[0].text, text.choices[0].text);
  assert.equal(ids.usage.prompt_tokens, tokens.length);
  const both = await complete({prompt: [prompt, "Two"], n: 2, ...more});
  assert.deepEqual(both.choices.map(({index}) => index), [0, 1, 2, 3]);
  assert.equal(both.choices[0].text, text.choices[0].text);
  assert.equal(both.choices[1].text, text.choices[0].text);
});

test("echo puts the prompt in front", async () => {
  const more = {prompt: "Three", max_tokens: 6, temperature: 0};
  const plain = (await complete(more)).choices[0].text;
  assert.equal((await complete({...more, echo: true})).choices[0].text, `Three${plain}`);
  assert.equal((await complete({...more, echo: true, max_tokens: 0})).choices[0].text, "Three");
});

test("a prompt's log-probabilities are those it had when it was written", async () => {
  const {tokens: prompt} = (await ask("/tokenize", {content: "Once upon"})).body;
  const {tokens: [a]} = (await ask("/tokenize", {content: "a"})).body;
  const written = (await complete(
    {prompt, max_tokens: 6, logprobs: 3, logit_bias: {[a]: 100}})).choices[0];
  assert.equal(written.text, "aaaaaa");
  const scored = await complete(
    {prompt: [...prompt, ...Array(6).fill(a)], echo: true, max_tokens: 0, logprobs: 3});
  const {tokens, token_logprobs, top_logprobs} = scored.choices[0].logprobs;
  assert.equal(tokens.length, prompt.length + 6);
  assert.equal(token_logprobs[0], null);
  assert.deepEqual(token_logprobs.slice(-6), written.logprobs.token_logprobs);
  assert.deepEqual(top_logprobs.slice(-6), written.logprobs.top_logprobs);
  assert.equal(scored.usage.completion_tokens, 0);
});

test("a completion's tokens add up to its text, at their offsets", async () => {
  const body = await complete({prompt: "é", echo: true, max_tokens: 8, temperature: 0,
    logprobs: 1});
  const {tokens, text_offset, top_logprobs} = body.choices[0].logprobs;
  let at = 0;
  for (const [i, token] of tokens.entries()) {
    assert.equal(text_offset[i], at);
    at += [...token].length;
  }
  assert.equal(top_logprobs[0], null);
  assert.ok(Object.keys(top_logprobs[1]).length >= 1);
});

test("a streamed completion equals the unstreamed one", async () => {
  const more = {prompt: "Once", max_tokens: 16, seed: 9, echo: true, logprobs: 2};
  const whole = (await complete(more)).choices[0];
  const options = {stream: true, stream_options: {include_usage: true}};
  const events = readEvents((await ask("/v1/completions", {...more, ...options})).text);
  const choices = events.flatMap((event) => event.choices);
  assert.equal(choices.map(({text}) => text).join(""), whole.text);
  assert.deepEqual(choices.flatMap(({logprobs}) => logprobs?.token_logprobs ?? []),
    whole.logprobs.token_logprobs);
  assert.equal(choices.at(-1).finish_reason, whole.finish_reason);
  assert.ok(events.at(-1).usage.total_tokens > 0);
});

test("a completion stops at stop strings and follows formats", async () => {
  const more = {prompt: "Say", max_tokens: 64, response_format: says("alpha beta gamma")};
  assert.equal((await complete(more)).choices[0].text, "alpha beta gamma");
  assert.equal((await complete({...more, stop: [" gam"]})).choices[0].text, "alpha beta");
});

test("completions refuse what they cannot do", async () => {
  for (const [more, param] of [[{}, "prompt"], [{prompt: ""}, "prompt"],
    [{prompt: [1_000_000]}, "prompt[0]"], [{prompt: "a", suffix: "b"}, "suffix"],
    [{prompt: "a", best_of: 2}, "best_of"], [{prompt: "a ".repeat(3000)}, "prompt"]]) {
    const {status, body} = await post(`${server.url}/v1/completions`, more);
    assert.equal(status, 400);
    assert.equal(body.error.param, param);
  }
});

test("tokens and text lead to each other", async () => {
  for (const content of ["Hello, world!", "é 日本 👍", " \n\t ", "<think>no</think>", ""]) {
    for (const parse_special of [true, false]) {
      const {tokens} = (await ask("/tokenize", {content, parse_special})).body;
      assert.equal((await ask("/detokenize", {tokens})).body.content, content);
    }
  }
});

test("pieces are the tokens' own bytes", async () => {
  const {tokens} = (await ask("/tokenize", {content: "a日", with_pieces: true})).body;
  const bytes = tokens.flatMap(({piece}) =>
    typeof piece === "string" ? [...Buffer.from(piece)] : piece);
  assert.equal(Buffer.from(bytes).toString(), "a日");
});

test("the prompt of a conversation is shown as the model reads it", async () => {
  const {prompt, count} = (await ask("/apply-template", {messages: kHello, tools: kTools})).body;
  assert.match(prompt, /<\|im_start\|>user\nhello<\|im_end\|>/);
  assert.match(prompt, /rain/);
  const {tokens} = (await ask("/tokenize", {content: prompt})).body;
  assert.equal(tokens.length, count);
  const off = (await ask("/apply-template",
    {messages: kHello, chat_template_kwargs: {enable_thinking: false}})).body.prompt;
  assert.match(off, /<think>\n\n<\/think>\n$/);
});
