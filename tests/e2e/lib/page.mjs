// A server of its own and a browser for one test file.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before } from 'node:test';

// The page with scripted answers. It can be killed and started again on the same port and store.
export class PageServer {
  // `chats`: conversations to begin with, in the store's JSON. `loading`: there is no model until
  // finishLoading().
  constructor({ pauseMs = 8, loading = false, chats = [] } = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'notso-e2e-'));
    this.port = 0;
    this.pauseMs = pauseMs;
    this.loading = join(this.folder, 'loading');
    if (loading) writeFileSync(this.loading, '');
    this.imports = chats.map((chat, index) => {
      const file = join(this.folder, `chat-${index}.json`);
      writeFileSync(file, JSON.stringify({
        format: 'notso-conversation', version: 1, title_by_user: true, settings: '', ...chat }));
      return file;
    });
  }

  async start() {
    const program = process.env.NOTSO_PAGE_SERVER;
    this.process = spawn(program, [String(this.port), join(this.folder, 'chats.db'),
      String(this.pauseMs), this.loading, ...this.imports],
    { stdio: ['ignore', 'pipe', 'inherit'] });
    this.imports = [];
    this.url = await new Promise((resolve, reject) => {
      let text = '';
      this.process.stdout.on('data', (bytes) => {
        text += bytes;
        if (text.includes('\n')) resolve(text.trim());
      });
      this.process.on('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    });
    this.port = Number(new URL(this.url).port);
    return this.url;
  }

  finishLoading() {
    rmSync(this.loading);
  }

  async kill(signal = 'SIGKILL') {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill(signal);
    await ended;
  }

  async close() {
    if (this.process.exitCode === null && this.process.signalCode === null) await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

// The real server with the real engine, on a tiny model of random weights.
export class ModelServer extends PageServer {
  // The flags that name the model.
  model() {
    const notso = process.env.NOTSO;
    const model = join(this.folder, 'tiny.gguf');
    if (!existsSync(model)) execFileSync(notso, ['synth', model, '--size', 'tiny', '--seed', '1']);
    return ['-m', model];
  }

  get environment() {
    return { ...process.env, HOME: this.folder, XDG_CACHE_HOME: this.folder,
      XDG_CONFIG_HOME: this.folder, XDG_STATE_HOME: this.folder, NOTSO_HOME: this.folder };
  }

  // Makes an API key. The server asks for keys if there is one when it starts.
  addKey(name) {
    const said = execFileSync(process.env.NOTSO, ['key', 'add', name],
      { env: this.environment, stdio: ['ignore', 'pipe', 'ignore'] });
    return String(said).trim().split('\n')[0];
  }

  async start() {
    this.process = spawn(process.env.NOTSO, ['serve', ...this.model(), '--port', String(this.port),
      '--sessions', join(this.folder, 'chats.db'), '--no-kv-on-disk', '--rate-limit', '0'], {
      stdio: ['ignore', 'pipe', 'ignore'], env: this.environment });
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

// The same without a model on the machine: the built-in demo answers.
export class DemoServer extends ModelServer {
  model() {
    return [];
  }
}

let browser;
export async function openBrowser() {
  // Without a user namespace, as in many containers, Chromium's own sandbox cannot start; the
  // pages are our own.
  const executablePath = '/usr/bin/chromium';
  browser ??= await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  return browser;
}

export async function closeBrowser() {
  await browser?.close();
  browser = undefined;
}

// Closes what a test has left open, so that one that fails is no burden on the next.
export async function closePages() {
  await Promise.all(browser?.contexts().map((context) => context.close()) ?? []);
}

// For a test file whose servers run as long as it does.
export function serveFor(...servers) {
  before(() => Promise.all(servers.map((server) => server.start())));
  afterEach(closePages);
  after(async () => {
    await closeBrowser();
    await Promise.all(servers.map((server) => server.close()));
  });
}

// A new profile with one page. Everything that must never happen is written down in `faults`:
// errors of scripts, refusals of the content security policy, requests to other hosts.
export async function openPage(server, options = {}) {
  const context = await (await openBrowser()).newContext({
    viewport: { width: 1280, height: 860 }, ...options });
  context.setDefaultTimeout(90_000); // what it takes on a machine that does much else
  const page = await context.newPage();
  page.faults = watchFaults(page, server);
  return page;
}

// Such a page, at the first view.
export async function openHome(server, options) {
  const page = await openPage(server, options);
  await page.goto(server.url);
  return page;
}

// For after a link, a form or a script has led to another page: its scripts run, so that what is
// pressed and typed there is heard. The mark alone comes just before htmx begins.
export async function ready(page) {
  await page.locator('html[data-ready]').waitFor();
  await page.waitForLoadState();
}

// The end of a test: nothing has happened on the page that must not.
export async function done(page) {
  assert.deepEqual(page.faults, []);
  await page.context().close();
}

export function watchFaults(page, server) {
  const faults = [];
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (/Content Security Policy/i.test(message.text())) faults.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(server.url) && !/^(blob|data):/.test(request.url())) {
      faults.push(`request to ${request.url()}`);
    }
  });
  return faults;
}

// Types a message, sends it with Enter, and waits for the end of its answer unless told not to.
export async function send(page, text, { wait = true } = {}) {
  const before = await page.locator('.bot').count();
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
  await page.waitForURL(/\/chats\//);
  await ready(page);
  if (!wait) return;
  await page.waitForFunction((count) => {
    const answers = document.querySelectorAll('#messages .bot');
    return answers.length > count && !document.querySelector('#messages .busy');
  }, before);
}

export const answerText = (page) => page.locator('#messages .bot').last().locator('.md')
  .allInnerTexts().then((texts) => texts.join('\n').trim());

// A conversation to import: questions and answers in turn.
export const chatOf = (title, texts, extra = {}) => ({
  title, created_ms: Date.now(), leaf: texts.length,
  messages: texts.map((content, index) => ({
    id: index + 1, parent: index, role: index % 2 ? 'assistant' : 'user', state: 'done',
    finish: 'stop', content, created_ms: Date.now(), ...extra[index + 1] })),
});
