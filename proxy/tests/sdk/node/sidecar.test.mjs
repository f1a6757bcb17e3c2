// The OpenAI and Anthropic SDKs for Node, unmodified: what goes through, and that a stream that died always throws.

import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

import { Sidecar, Upstream } from './system.mjs';

const messages = [{ role: 'user', content: 'Why is the sky blue?' }];

/** Both SDKs, so that a test is written once. */
function callers(sidecar) {
  const gpt = new OpenAI({ baseURL: `http://${sidecar.address}/v1`, apiKey: 'unused', maxRetries: 0 });
  const claude = new Anthropic({ baseURL: `http://${sidecar.address}`, apiKey: 'unused', maxRetries: 0 });
  return [
    {
      name: 'openai',
      sdk: OpenAI,
      ask: async (more = {}) => {
        const answer = await gpt.chat.completions.create({ model: 'small', messages, ...more });
        return answer.choices[0].message.content;
      },
      raw: (more) => gpt.chat.completions.create({ model: 'small', messages, ...more }).withResponse(),
      stream: () => gpt.chat.completions.create({ model: 'small', messages, stream: true }),
      text: (event) => event.choices[0]?.delta.content ?? '',
      models: () => gpt.models.list(),
      code: (error) => error.code,
      terminator: 'data: [DONE]',
      request: ['/v1/chat/completions', { model: 'small', messages, stream: true }],
    },
    {
      name: 'anthropic',
      sdk: Anthropic,
      ask: async (more = {}) => {
        const answer = await claude.messages.create({ model: 'small-messages', max_tokens: 100, messages, ...more });
        return answer.content[0].text;
      },
      raw: (more) =>
        claude.messages.create({ model: 'small-messages', max_tokens: 100, messages, ...more }).withResponse(),
      stream: () => claude.messages.create({ model: 'small-messages', max_tokens: 100, messages, stream: true }),
      text: (event) => (event.type === 'content_block_delta' ? event.delta.text : ''),
      models: () => claude.models.list(),
      code: (error) => error.error.error.code,
      terminator: 'event: message_stop',
      request: ['/v1/messages', { model: 'small-messages', max_tokens: 100, messages, stream: true }],
    },
  ];
}

let upstream;
let sidecar;

before(async () => {
  upstream = await Upstream.start();
  sidecar = await Sidecar.over(upstream);
});

beforeEach(() => upstream.script());

after(async () => {
  await sidecar?.stop();
  await upstream?.stop();
});

/** Reads a stream to its end. */
async function read(caller, opened) {
  let text = '';
  for await (const event of await opened) text += caller.text(event);
  return text;
}

test('plain and streamed answers are the same', async () => {
  for (const caller of callers(sidecar)) {
    await upstream.script();
    const plain = await caller.ask();
    assert.match(plain, /^\[small:/);
    assert.equal(await read(caller, caller.stream()), plain, caller.name);
    for (const fault of ['crlf', 'split', 'split=7']) {
      await upstream.script(fault);
      assert.equal(await read(caller, caller.stream()), plain, `${caller.name} ${fault}`);
    }
  }
});

test('auto chooses and says why in the headers', async () => {
  for (const caller of callers(sidecar)) {
    const { response } = await caller.raw({ model: 'auto' });
    assert.match(response.headers.get('x-router-model'), /^small/);
    assert.equal(response.headers.get('x-router-placement'), 'internal');
  }
});

test('models are listed', async () => {
  for (const caller of callers(sidecar)) {
    const names = (await caller.models()).data.map((model) => model.id);
    assert.ok(names.includes('auto') && names.includes('small'), names.join());
  }
});

test('errors have the SDKs own types', async () => {
  for (const caller of callers(sidecar)) {
    const { sdk } = caller;
    await upstream.script();
    await assert.rejects(caller.ask({ messages: [] }), sdk.BadRequestError);
    await assert.rejects(caller.ask({ model: 'nobody' }), sdk.NotFoundError);
    for (const [fault, type] of [
      ['status-429', sdk.RateLimitError],
      ['status-500', sdk.InternalServerError],
      ['close', sdk.InternalServerError],
    ]) {
      await upstream.script(fault);
      await assert.rejects(caller.ask(), type, `${caller.name} ${fault}`);
    }
  }
});

/** The length of a whole stream up to its completion marker, in bytes. */
async function lengthOf(caller) {
  const [path, body] = caller.request;
  await upstream.script();
  const answer = await fetch(`http://${sidecar.address}${path}`, { method: 'POST', body: JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(text.includes(caller.terminator));
  return Buffer.byteLength(text.slice(0, text.indexOf(caller.terminator)));
}

test('a stream that is cut throws, wherever it is cut', async () => {
  for (const caller of callers(sidecar)) {
    const length = await lengthOf(caller);
    const offsets = Array.from({ length: 40 }, (_, index) => Math.floor((index * length) / 40));
    for (const death of ['close', 'rst', 'end']) {
      for (const offset of offsets) {
        await upstream.script(`${death}=${offset}B`);
        await assert.rejects(read(caller, caller.stream()), (error) => {
          assert.ok(error instanceof caller.sdk.APIError, `${caller.name} ${death}=${offset}B: ${error}`);
          assert.equal(caller.code(error), 'upstream_error', `${caller.name} ${death}=${offset}B`);
          return true;
        });
      }
    }
  }
});

test('a stream throws whatever else is wrong with it', async () => {
  for (const caller of callers(sidecar)) {
    for (const fault of ['no-terminator', 'invalid-utf8', 'error-event=1', 'error-event=5']) {
      await upstream.script(fault);
      await assert.rejects(read(caller, caller.stream()), caller.sdk.APIError, `${caller.name} ${fault}`);
    }
  }
});

test('a stream throws when its provider is killed', async () => {
  for (const name of ['openai', 'anthropic']) {
    for (const frames of [1, 2, 5, 11]) {
      const mortal = await Upstream.start();
      const over = await Sidecar.over(mortal);
      try {
        const caller = callers(over).find((caller) => caller.name === name);
        await mortal.script(`stall=${frames}`);
        const events = (await caller.stream())[Symbol.asyncIterator]();
        await events.next();
        await mortal.kill();
        await assert.rejects(
          async () => {
            while (!(await events.next()).done);
          },
          caller.sdk.APIError,
          `${name} ${frames}`,
        );
      } finally {
        await over.stop();
        await mortal.kill();
      }
    }
  }
});
