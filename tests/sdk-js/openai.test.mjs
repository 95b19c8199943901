// The official OpenAI SDK for JavaScript, unmodified but for base URL and key, through the gateway.
// Run by the tests of the server, which set GATEWAY_URL (…/gateway) and GATEWAY_TOKEN.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

const baseURL = `${process.env.GATEWAY_URL}/openai/v1`;
const apiKey = process.env.GATEWAY_TOKEN;
// No retries: what the gateway answers is what the test sees.
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const model = "gpt-4o-mini";
const messages = [{ role: "user", content: "Say something short about ledgers." }];

test("a chat, plain", async () => {
  const answer = await client.chat.completions.create({ model, messages });
  assert.ok(answer.choices[0].message.content);
  assert.ok(answer.usage.total_tokens > 0);
});

test("a chat, streamed, without usage that was not asked for", async () => {
  let text = "";
  for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
    assert.equal(chunk.usage ?? null, null);
    text += chunk.choices[0]?.delta?.content ?? "";
  }
  assert.ok(text);
});

test("a response, streamed", async () => {
  const kinds = [];
  for await (const event of await client.responses.create({ model, input: "A virtue?", stream: true })) {
    kinds.push(event.type);
  }
  assert.equal(kinds.at(0), "response.created");
  assert.equal(kinds.at(-1), "response.completed");
});

test("embeddings", async () => {
  const answer = await client.embeddings.create({
    model: "text-embedding-3-small",
    input: ["nano", "dollar"],
  });
  assert.equal(answer.data.length, 2);
});

test("errors keep their kinds", async () => {
  const nobody = new OpenAI({ baseURL, apiKey: "dmd_nonsense", maxRetries: 0 });
  await assert.rejects(nobody.models.list(), OpenAI.AuthenticationError);
  const unknown = client.chat.completions.create({ model: "gpt-nobody-has-it", messages });
  await assert.rejects(unknown, OpenAI.NotFoundError);
});
