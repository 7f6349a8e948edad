// Models in the page: the offer where there is none, the download with all that can happen to it,
// and the list in the panel. The hub is a server of the test's own that gives a tiny model.
import axe from 'axe-core';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeBrowser, done, openHome, PageServer, send } from './lib/page.mjs';

const notso = process.env.NOTSO;
const folder = mkdtempSync(join(tmpdir(), 'notso-hub-'));
const tiny = join(folder, 'tiny.gguf');

// Gives the model for any path, in ranges, a piece at a time. Four connections read it at once, 64
// pieces each; the page looks every second how far they are.
class Hub {
  pauseMs = 0; // after each piece
  status = 200;
  sent = 0;

  async start(content) {
    this.server = createServer(async (request, response) => {
      if (this.status !== 200) {
        response.writeHead(this.status).end('no');
        return;
      }
      const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
      const [first, end] = range ? [Number(range[1]), Number(range[2]) + 1] : [0, content.length];
      const body = content.subarray(first, end);
      const headers = { ETag: '"one"', 'Content-Length': body.length };
      const last = first + body.length - 1;
      if (range) headers['Content-Range'] = `bytes ${first}-${last}/${content.length}`;
      response.writeHead(range ? 206 : 200, headers);
      for (let at = 0; at < body.length && !response.destroyed; at += 16384) {
        const piece = body.subarray(at, at + 16384);
        this.sent += piece.length;
        response.write(piece);
        if (this.pauseMs) await sleep(this.pauseMs);
      }
      response.end();
    });
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

const hub = new Hub();

// The real server with the models that the test puts into its folder.
class BareServer extends PageServer {
  add(...names) {
    mkdirSync(join(this.folder, 'models'), { recursive: true });
    for (const name of names) copyFileSync(tiny, join(this.folder, 'models', `${name}.gguf`));
    return this;
  }

  async start(...flags) {
    this.flags = flags.length ? flags : (this.flags ?? []);
    this.process = spawn(notso, ['serve', '--port', String(this.port), '--rate-limit', '0',
      '--no-kv-on-disk', '--kv-memory', '64M', '--offer', 'Q6_K', ...this.flags], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, NOTSO_HOME: this.folder, HF_ENDPOINT: hub.url, HF_TOKEN: '',
        NO_PROXY: '*', no_proxy: '*' } });
    this.url = await new Promise((resolve, reject) => {
      let text = '';
      this.process.stdout.on('data', (bytes) => {
        text += bytes;
        const ready = /ready: (\S+)/.exec(text);
        if (ready) resolve(ready[1]);
      });
      this.process.on('exit', (code) => reject(new Error(`notso serve ended with ${code}`)));
    });
    this.port = Number(new URL(this.url).port);
    return this.url;
  }
}

let server;
before(async () => {
  execFileSync(notso, ['synth', tiny, '--size', 'tiny', '--seed', '1']);
  await hub.start(readFileSync(tiny));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  Object.assign(hub, { pauseMs: 0, status: 200, sent: 0 });
});
after(async () => {
  await closeBrowser();
  hub.stop();
  rmSync(folder, { recursive: true, force: true });
});

const home = (options) => openHome(server, options);

// What a person without scripts does: looks again.
async function reloadUntil(page, locator) {
  for (const end = Date.now() + 90_000; Date.now() < end && (await locator.count()) === 0;) {
    await sleep(250);
    await page.goto(`${server.url}/model`);
  }
  assert.ok(await locator.count());
}

// Random weights end an answer when they like.
async function shortAnswers(page, tokens) {
  await page.locator('.sidebar-foot a[aria-label="Settings"]').click();
  await page.locator('#panel[open] #s-max').fill(String(tokens));
  await page.locator('#panel input[name="thinking"]').uncheck();
  await page.locator('#panel button', { hasText: 'Save' }).click();
  await page.waitForFunction(() => !document.querySelector('#panel').open);
}

const banner = (page, text) => page.locator('#banner', { hasText: text });
const downloaded = (page) => page.locator('#badge:has(.ready)', { hasText: 'SmolLM3-3B-Q6_K' });
const part = () => join(server.folder, 'models', 'SmolLM3-3B-Q6_K.gguf.part');

test('one press downloads a model, and it answers without a restart', async () => {
  server = new BareServer();
  await server.start();
  const page = await home();
  await banner(page, 'small built-in demo model').waitFor();
  hub.pauseMs = 100;
  await page.locator('#banner button').focus();
  await page.keyboard.press('Enter');
  await page.locator('#banner progress').waitFor();
  await banner(page, /Q6_K:\s+\d+%.*MB of 4\.28 MB.*\/s/).waitFor();
  hub.pauseMs = 0;
  await downloaded(page).waitFor();
  assert.equal(await page.locator('#banner').isVisible(), false);
  await send(page, '/quote', { wait: false });
  await page.locator('.md', { hasText: 'In the beginning was the Word' }).waitFor();
  await done(page);
});

test('a cancelled download is kept, also over a restart, and goes on where it was', async () => {
  server = new BareServer();
  await server.start();
  hub.pauseMs = 400;
  const page = await home();
  await page.locator('#banner button', { hasText: 'Download' }).click();
  await page.locator('#banner progress[value]:not([value="0"])').waitFor();
  // A step of the progress takes neither the button nor the focus away.
  await page.locator('#banner button', { hasText: 'Cancel' }).focus();
  await sleep(2200);
  assert.equal(await page.evaluate(() => document.activeElement.innerText.trim()), 'Cancel');
  await page.keyboard.press('Enter');
  await banner(page, 'what has come is kept').waitFor();
  assert.ok(existsSync(part()));
  await server.kill('SIGTERM');
  const before = hub.sent;
  hub.pauseMs = 0;
  await server.start();
  await page.goto(server.url);
  await banner(page, 'are here already').waitFor();
  await page.locator('#banner button', { hasText: 'Continue the download' }).click();
  await downloaded(page).waitFor();
  assert.ok(hub.sent - before < 4_284_512, `${hub.sent - before} bytes more`);
  await done(page);
});

test('a failure is one line with a button to try again', async () => {
  server = new BareServer();
  await server.start();
  hub.status = 404;
  const page = await home();
  await page.locator('#banner button').click();
  await banner(page, 'Q6_K cannot be downloaded').waitFor();
  assert.equal(await page.locator('#banner .said').getAttribute('role'), 'alert');
  hub.status = 200;
  await page.locator('#banner button', { hasText: 'Try again' }).click();
  await downloaded(page).waitFor();
  await done(page);
});

test('the panel lists the models, says which answers, and switches', async () => {
  server = new BareServer().add('alpha', 'beta');
  await server.start('-m', 'alpha');
  const page = await home();
  await page.click('#badge');
  const row = (name) => page.locator('#models li', { hasText: name });
  await row('alpha').locator('.state', { hasText: 'Answers' }).waitFor();
  assert.match(await row('beta').innerText(), /Q4_K_M, 4\.28 MB on disk, about .* of memory/);
  assert.equal(await row('alpha').locator('button').count(), 0);
  await row('beta').locator('button', { hasText: 'Use' }).click();
  await row('beta').locator('.state', { hasText: 'Answers' }).waitFor();
  await row('alpha').locator('.state', { hasText: 'Loaded' }).waitFor();
  await page.locator('#badge', { hasText: 'beta' }).waitFor({ state: 'attached' });
  await page.keyboard.press('Escape');
  await shortAnswers(page, 8);
  await send(page, 'hello');
  await page.locator('.pill summary').click();
  assert.match(await page.locator('.pill dl').innerText(), /Model\s+beta/);
  await done(page);
});

test('a running answer is finished by the model that began it', async () => {
  server = new BareServer().add('alpha', 'beta');
  await server.start('-m', 'alpha');
  const page = await home();
  await shortAnswers(page, 2000);
  await send(page, 'go on for long', { wait: false });
  await page.waitForFunction(() => {
    const text = document.querySelector('.bot .parts')?.textContent ?? '';
    return text.length > 50;
  });
  await page.click('#badge');
  await page.locator('#models li', { hasText: 'beta' }).locator('button').click();
  await page.locator('#badge', { hasText: 'beta' }).waitFor({ state: 'attached' });
  await page.locator('#panel [data-close]').click();
  await page.locator('.pill', { hasText: /Done/ }).waitFor();
  await page.locator('.pill summary').click();
  assert.match(await page.locator('.pill dl').innerText(), /Model\s+alpha/);
  await done(page);
});

test('another model is downloaded from the panel while one answers', async () => {
  server = new BareServer().add('alpha');
  await server.start('-m', 'alpha');
  hub.pauseMs = 100;
  const page = await home();
  await page.click('#badge');
  const row = page.locator('#models li', { hasText: 'SmolLM3-3B Q6_K' });
  await row.locator('button', { hasText: 'Download' }).click();
  await page.locator('#models progress').waitFor();
  hub.pauseMs = 0;
  await page.locator('#models li', { hasText: 'SmolLM3-3B-Q6_K' })
    .locator('button', { hasText: 'Use' }).waitFor();
  // The one that was chosen stays until somebody chooses the new one.
  await page.locator('#models li', { hasText: 'alpha' })
    .locator('.state', { hasText: 'Answers' }).waitFor();
  await done(page);
});

test('without scripts all of it works by forms', async () => {
  server = new BareServer().add('alpha');
  hub.pauseMs = 400;
  await server.start('-m', 'alpha');
  const page = await home({ javaScriptEnabled: false });
  await page.click('#badge');
  const offer = page.locator('#models li', { hasText: 'SmolLM3-3B Q6_K' });
  await offer.locator('button').click();
  await page.locator('#models progress').waitFor();
  await page.locator('#models button', { hasText: 'Cancel' }).click();
  await reloadUntil(page, page.locator('#models', { hasText: 'is kept' }));
  hub.pauseMs = 0;
  await page.locator('#models .row button', { hasText: 'Continue' }).click();
  const come = page.locator('#models li', { hasText: 'SmolLM3-3B-Q6_K' });
  await reloadUntil(page, come.locator('button', { hasText: 'Use' }));
  await come.locator('button', { hasText: 'Use' }).click();
  await reloadUntil(page, come.locator('.state', { hasText: 'Answers' }));
  await page.locator('#models li', { hasText: 'alpha' }).locator('button').click();
  await reloadUntil(page, page.locator('#badge', { hasText: 'alpha' }));
  await done(page);
});

test('the banner and the panel are fit for phones, both themes and screen readers', async () => {
  server = new BareServer();
  await server.start();
  for (const colorScheme of ['light', 'dark']) {
    const page = await home({ colorScheme, viewport: { width: 360, height: 740 } });
    await banner(page, 'small built-in demo model').waitFor();
    await page.goto(`${server.url}/model`);
    for (const path of ['/', '/model']) {
      await page.goto(server.url + path);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${path} is ${wide} pixels too wide`);
      const low = await page.locator('#banner button, #models button').evaluateAll((buttons) =>
        buttons.filter((button) => button.getBoundingClientRect().height < 44).length);
      assert.equal(low, 0);
      await page.evaluate(axe.source);
      const found = await page.evaluate(() => window.axe.run(document));
      const serious = found.violations.filter((v) => ['serious', 'critical'].includes(v.impact));
      assert.deepEqual(serious.map((v) => `${v.id}: ${v.nodes[0].html}`), []);
    }
    await page.context().close();
  }
});
