// The official OpenAI client, as it is, against our server.
import assert from "node:assert/strict";
import {after, before, test} from "node:test";

import OpenAI from "openai";
import {zodFunction, zodResponseFormat} from "openai/helpers/zod";
import {z} from "zod";

import {says, startServer} from "./lib/server.mjs";

let server;
let client;
const kHello = [{role: "user", content: "hello"}];
const kQuick = {model: "default", messages: kHello, reasoning_effort: "none", max_tokens: 256,
  seed: 1};
const kWeather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Tells the weather",
    parameters: {type: "object", additionalProperties: false, required: ["city"],
      properties: {city: {type: "string", enum: ["Ulm", "Bonn"]}}},
  },
};

before(async () => {
  server = await startServer();
  client = new OpenAI({baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0});
});
after(async () => assert.equal(await server.stop(), 0));

test("models are listed and shown", async () => {
  const models = [];
  for await (const model of client.models.list()) models.push(model);
  assert.equal(models.length, 1);
  assert.equal(models[0].object, "model");
  assert.deepEqual(await client.models.retrieve(models[0].id), models[0]);
  await assert.rejects(client.models.retrieve("gpt-4o"), OpenAI.NotFoundError);
});

test("a chat is answered", async () => {
  const answer = await client.chat.completions.create(
    {...kQuick, response_format: says("Hello, world.")});
  assert.equal(answer.choices[0].message.content, "Hello, world.");
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.equal(answer.usage.total_tokens,
    answer.usage.prompt_tokens + answer.usage.completion_tokens);
});

test("a chat is streamed", async () => {
  const stream = await client.chat.completions.create(
    {...kQuick, response_format: says("One two three."), stream: true});
  let text = "";
  let finish;
  for await (const chunk of stream) {
    text += chunk.choices[0].delta.content ?? "";
    finish = chunk.choices[0].finish_reason ?? finish;
  }
  assert.equal(text, "One two three.");
  assert.equal(finish, "stop");
});

test("the stream helper gathers the answer with its usage", async () => {
  const stream = client.chat.completions.stream(
    {...kQuick, response_format: says("Gathered."), stream_options: {include_usage: true}});
  const deltas = [];
  stream.on("content.delta", ({delta}) => deltas.push(delta));
  const final = await stream.finalChatCompletion();
  assert.equal(deltas.join(""), "Gathered.");
  assert.equal(final.choices[0].message.content, "Gathered.");
  assert.ok((await stream.totalUsage()).completion_tokens > 0);
});

test("a tool is called, and its result leads to an answer", async () => {
  const messages = [{role: "user", content: "How is the weather in Ulm?"}];
  const asked = await client.chat.completions.create(
    {...kQuick, messages, tools: [kWeather], tool_choice: "required"});
  assert.equal(asked.choices[0].finish_reason, "tool_calls");
  const [call] = asked.choices[0].message.tool_calls;
  assert.equal(call.function.name, "get_weather");
  assert.ok(["Ulm", "Bonn"].includes(JSON.parse(call.function.arguments).city));
  messages.push(asked.choices[0].message,
    {role: "tool", tool_call_id: call.id, content: "sunny, 20 degrees"});
  const answer = await client.chat.completions.create({...kQuick, messages, tools: [kWeather],
    tool_choice: "none", response_format: says("It is sunny.")});
  assert.equal(answer.choices[0].message.content, "It is sunny.");
  assert.ok(answer.usage.prompt_tokens > asked.usage.prompt_tokens);
});

test("runTools calls the function that it is given", async () => {
  const cities = [];
  const tool = {type: "function", function: {...kWeather.function, parse: JSON.parse,
    function: ({city}) => {
      cities.push(city);
      return "sunny";
    }}};
  const runner = client.chat.completions.runTools({...kQuick, tools: [tool],
    tool_choice: {type: "function", function: {name: "get_weather"}}});
  await runner.done();
  assert.equal(cities.length, 1);
  assert.ok(["Ulm", "Bonn"].includes(cities[0]));
  const last = runner.messages.at(-1);
  assert.deepEqual([last.role, last.content], ["tool", "sunny"]);
});

test("tool calls are streamed", async () => {
  const stream = client.chat.completions.stream(
    {...kQuick, tools: [kWeather], tool_choice: "required"});
  const final = await stream.finalChatCompletion();
  const [call] = final.choices[0].message.tool_calls;
  assert.equal(call.function.name, "get_weather");
  assert.ok(["Ulm", "Bonn"].includes(JSON.parse(call.function.arguments).city));
});

test("structured output is parsed by the zod helper", async () => {
  const Step = z.object({rule: z.enum(["add", "carry"]), value: z.number().int().min(0).max(99)});
  const Sum = z.object({steps: z.array(Step).max(2), done: z.boolean()});
  const answer = await client.chat.completions.parse(
    {...kQuick, max_tokens: 400, response_format: zodResponseFormat(Sum, "sum")});
  const {parsed} = answer.choices[0].message;
  assert.deepEqual(Sum.parse(parsed), parsed);
});

test("a tool's arguments are parsed by the zod helper", async () => {
  const tool = zodFunction({name: "point", parameters: z.object(
    {x: z.number().int().min(-9).max(9), axis: z.enum(["a", "b"])})});
  const answer = await client.chat.completions.parse(
    {...kQuick, max_tokens: 200, tools: [tool], tool_choice: "required"});
  const parsed = answer.choices[0].message.tool_calls[0].function.parsed_arguments;
  assert.ok(Math.abs(parsed.x) <= 9);
  assert.ok(["a", "b"].includes(parsed.axis));
});

test("log-probabilities come with every token of the content", async () => {
  const answer = await client.chat.completions.create(
    {...kQuick, response_format: says("Sure."), logprobs: true, top_logprobs: 3});
  const tokens = answer.choices[0].logprobs.content;
  assert.equal(Buffer.concat(tokens.map(({bytes}) => Buffer.from(bytes))).toString(), "Sure.");
  for (const {logprob, top_logprobs} of tokens) {
    assert.ok(logprob <= 0);
    assert.equal(top_logprobs.length, 3);
  }
});

test("thoughts come apart from the content", async () => {
  const think = (await (await fetch(`${server.url}/tokenize`,
    {method: "POST", body: JSON.stringify({content: "<think>"})})).json()).tokens[0];
  const request = {...kQuick, reasoning_effort: "low", response_format: says("Right."),
    logit_bias: {[think]: 100}, thinking_budget: 5, max_tokens: 64};
  const {choices: [{message}], usage} = await client.chat.completions.create(request);
  assert.equal(message.content, "Right.");
  assert.ok(message.reasoning_content.length > 0);
  assert.ok(usage.completion_tokens_details.reasoning_tokens >= 5);
  let thought = "";
  for await (const chunk of await client.chat.completions.create({...request, stream: true})) {
    thought += chunk.choices[0].delta.reasoning_content ?? "";
  }
  assert.equal(thought, message.reasoning_content);
});

test("raw prompts go on", async () => {
  const answer = await client.completions.create(
    {model: "default", prompt: "Once upon a time", max_tokens: 8, echo: true});
  assert.ok(answer.choices[0].text.startsWith("Once upon a time"));
  let text = "";
  for await (const chunk of await client.completions.create(
    {model: "default", prompt: "Once", max_tokens: 8, seed: 5, stream: true})) {
    text += chunk.choices[0].text;
  }
  const whole = await client.completions.create(
    {model: "default", prompt: "Once", max_tokens: 8, seed: 5});
  assert.equal(text, whole.choices[0].text);
});

test("refusals are the client's own errors", async () => {
  const ask = (more) => client.chat.completions.create({...kQuick, ...more});
  await assert.rejects(ask({model: "gpt-4o"}), (error) =>
    error instanceof OpenAI.NotFoundError && error.code === "model_not_found");
  await assert.rejects(ask({temperature: 9}), (error) =>
    error instanceof OpenAI.BadRequestError && error.param === "temperature");
  await assert.rejects(ask({stream: true, messages: [{role: "user", content: "x ".repeat(4000)}]}),
    (error) => error instanceof OpenAI.BadRequestError &&
      error.code === "context_length_exceeded");
  await assert.rejects(client.embeddings.create({model: "default", input: "x"}),
    (error) => error.status === 501);
});

test("an aborted stream ends", async () => {
  const stream = await client.chat.completions.create({...kQuick, max_tokens: 900,
    response_format: {type: "regex", regex: "[a-z ]{800,900}"}, stream: true});
  let chunks = 0;
  for await (const _ of stream) {
    if (++chunks === 3) break;
  }
  assert.equal(chunks, 3);
  assert.ok(stream.controller.signal.aborted);
});
