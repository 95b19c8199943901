// The official Anthropic SDK for JavaScript, unmodified but for base URL and key, through the
// gateway. Run by the tests of the server, which set GATEWAY_URL (…/gateway) and GATEWAY_TOKEN.

import assert from "node:assert/strict";
import { test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";

const baseURL = `${process.env.GATEWAY_URL}/anthropic`;
const apiKey = process.env.GATEWAY_TOKEN;
// No retries: what the gateway answers is what the test sees.
const client = new Anthropic({ baseURL, apiKey, maxRetries: 0 });
const model = "claude-haiku-4-5";
const messages = [{ role: "user", content: "Say something short about ledgers." }];

test("a message, plain", async () => {
  const answer = await client.messages.create({ model, max_tokens: 64, messages });
  assert.ok(answer.content[0].text);
  assert.ok(answer.usage.output_tokens > 0);
});

test("a message, streamed", async () => {
  const stream = client.messages.stream({ model, max_tokens: 64, messages });
  let text = "";
  stream.on("text", (piece) => (text += piece));
  const answer = await stream.finalMessage();
  assert.equal(text, answer.content[0].text);
});

test("errors keep their kinds", async () => {
  const nobody = new Anthropic({ baseURL, apiKey: "dmd_nonsense", maxRetries: 0 });
  await assert.rejects(nobody.models.list(), Anthropic.AuthenticationError);
});
